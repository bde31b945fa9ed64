import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { limits } from '../lib/limits.ts';
import type { PolicyFile, PolicySnapshot } from './types.ts';

const shape = z.object({
  sluicePolicy: z.literal(1),
  source: z.string(),
  hash: z.string(),
  savedAt: z.iso.datetime(),
  checksum: z.string(),
  files: z.array(
    z.object({
      name: z.string(),
      text: z.string(),
      lineOffset: z.number().optional(),
      columnOffset: z.number().optional(),
      at: z.object({ line: z.number(), column: z.number() }).optional(),
    }),
  ),
});

/** A policy that was active in an earlier run. */
export interface KeptFiles {
  readonly files: readonly PolicyFile[];
  readonly hash: string;
  /** ISO 8601. */
  readonly savedAt: string;
}

/**
 * The last good policy on disk. A start uses it while the source cannot be read or holds a mistake, so that a restarted Sluice does not
 * govern less than before. It contains policy texts, which contain no keys.
 */
export class KeptPolicy {
  readonly #file: string;
  readonly #source: string;
  readonly #onError: (error: unknown) => void;
  #saved = '';

  /** `source` identifies where a policy is from: one from another source is never used. `onError`: called once when it cannot be saved. */
  constructor(file: string, source: string, onError: (error: unknown) => void) {
    this.#file = file;
    this.#source = source;
    this.#onError = onError;
  }

  /** Null if none is kept for this source, or it is damaged. */
  load(): KeptFiles | null {
    try {
      if (statSync(this.#file).size > limits.policyBytes * 4) return null;
      const found = shape.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
      return found.source === this.#source && found.checksum === checksumOf(found.files as PolicyFile[]) ? (found as KeptFiles) : null;
    } catch {
      return null;
    }
  }

  /** Saves a generation's texts atomically: a crash leaves the old file or the new one. */
  save({ files, hash }: Pick<PolicySnapshot, 'files' | 'hash'>): void {
    if (hash === this.#saved) return;
    const kept = {
      sluicePolicy: 1 as const,
      source: this.#source,
      hash,
      savedAt: new Date().toISOString(),
      checksum: checksumOf(files),
      files,
    };
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      writeFileSync(`${this.#file}.${process.pid}.new`, JSON.stringify(kept), { mode: 0o640 });
      renameSync(`${this.#file}.${process.pid}.new`, this.#file);
      this.#saved = hash;
    } catch (error) {
      this.#onError(error);
    }
  }
}

function checksumOf(files: readonly PolicyFile[]): string {
  return createHash('sha256')
    .update(JSON.stringify(files.map(({ name, text }) => [name, text])))
    .digest('hex');
}
