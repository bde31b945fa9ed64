import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { RawScore } from './fit.ts';
import type { FoldStore } from './train.ts';
import { unwritable } from '../../lib/errors.ts';

const row = z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()]);
const foldSchema = z.strictObject({ fold: z.string(), scores: z.array(row) });
const headSchema = z.strictObject({ checkpoint: z.string() });

/** A fold store in a file, which a finished run deletes. */
export interface Checkpoint extends FoldStore {
  remove(): void;
}

/**
 * Opens the checkpoint of a training run: a line that identifies the run by a hash of `run` (its rows, settings and version), then one line
 * per fold. A file of another run is overwritten; a truncated last line after a crash is ignored. Throws SLUICE_FILE_UNWRITABLE.
 */
export function openCheckpoint(file: string, run: string): Checkpoint {
  const name = createHash('sha256').update(run).digest('hex').slice(0, 32);
  const folds = readFolds(file, name);
  const whole = [JSON.stringify({ checkpoint: name }), ...[...folds].map(([fold, scores]) => lineOf(fold, scores))];
  written(file, () => writeFileSync(file, `${whole.join('\n')}\n`));
  return {
    get: (fold) => folds.get(fold) ?? null,
    put(fold, scores) {
      folds.set(fold, scores);
      written(file, () => appendFileSync(file, `${lineOf(fold, scores)}\n`));
    },
    remove: () => rmSync(file, { force: true }),
  };
}

function written(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw unwritable(file, error);
  }
}

function lineOf(fold: string, scores: readonly RawScore[]): string {
  return JSON.stringify({
    fold,
    scores: scores.map(({ raw, words, trees, familiarity, certainty }) => [raw, words, trees, familiarity, certainty]),
  });
}

function readFolds(file: string, name: string): Map<string, readonly RawScore[]> {
  const folds = new Map<string, readonly RawScore[]>();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return folds;
  }
  const [head = '', ...lines] = text.split('\n');
  if (headSchema.safeParse(parsed(head)).data?.checkpoint !== name) return folds;
  for (const line of lines) {
    const one = foldSchema.safeParse(parsed(line));
    if (one.success)
      folds.set(
        one.data.fold,
        one.data.scores.map(([raw, words, trees, familiarity, certainty]) => ({ raw, words, trees, familiarity, certainty })),
      );
  }
  return folds;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
