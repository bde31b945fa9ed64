import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { LedgerBackend, OpenedWriter } from './backend.ts';
import type { LedgerTarget } from './target.ts';
import type { Checkpoint, RestingChain } from './types.ts';
import { oldestSums, type Retention } from './sqlite/store.ts';

/** A chain whose first row is written, and its signed end. */
export interface BegunChain {
  readonly chain: RestingChain;
  readonly checkpoint: Checkpoint;
  /** Whether the ledger's file was removed or replaced since. */
  readonly gone: () => boolean;
}

interface Options {
  readonly target: LedgerTarget;
  readonly version: string;
  /** PEM of an Ed25519 private key; null to leave checkpoints unsigned. */
  readonly signingKey: string | null;
}

/**
 * Begins a chain on this thread and closes the ledger again: a thread costs 20 MB while it has nothing to write. Null if only a thread can
 * open this kind of ledger. Rejects with SLUICE_LEDGER_UNUSABLE.
 */
export async function beginChain(backend: LedgerBackend, options: Options): Promise<BegunChain | null> {
  if (backend.shared) return null;
  const opened = await backend.openWriter(options.target, { version: options.version });
  try {
    const checkpoint = await opened.writer.checkpoint(keyOf(options));
    const chain = opened.rest?.();
    return chain === undefined ? null : { chain, checkpoint, gone: opened.gone ?? (() => false) };
  } finally {
    await opened.end();
  }
}

/** Writes the closing row of a resting chain; returns its signed end. Rejects if the ledger cannot be opened or written. */
export async function closeChain(backend: LedgerBackend, options: Options, resume: RestingChain): Promise<Checkpoint> {
  const opened: OpenedWriter = await backend.openWriter(options.target, { version: options.version, resume });
  try {
    await opened.writer.close();
    return await opened.writer.checkpoint(keyOf(options));
  } finally {
    await opened.end();
  }
}

/** Whether a resting ledger holds something that has become too old. */
export function isPrunable({ oldestRow, oldestSum }: RestingChain, retention: Retention, now: number): boolean {
  return oldestRow < now - retention.rowsMs || oldestSum < oldestSums(now, retention);
}

function keyOf({ signingKey }: Options): KeyObject | null {
  return signingKey === null ? null : createPrivateKey(signingKey);
}
