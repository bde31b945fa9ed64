import type { KeyObject } from 'node:crypto';
import { signatureHolds } from './hash-chain.ts';
import type { ChainHead, Checkpoint } from './types.ts';

/** A running writer signs every minute: rows younger than this may still be unsigned. In ms. */
const pendingMs = 150_000;

/** One writer's chain as read. */
export interface ChainRead {
  readonly writer: string;
  readonly closed: boolean;
  readonly first: number;
  readonly last: number;
  /** Hashes of the rows that other rows or checkpoints refer to, by number; hex. */
  readonly hashes: ReadonlyMap<number, string>;
  /** The ends of other chains recorded in this chain's rows. */
  readonly heads: readonly { readonly seq: number; readonly head: ChainHead }[];
  /** The earliest creation time of the rows from a number on; ms since the epoch. */
  readonly oldestAfter: (seq: number) => number;
}

/**
 * Determines which rows a signature covers: those up to a signed checkpoint, and those that a covered row of another chain refers to.
 * Reports uncovered rows; returns the number of rows of running writers that still wait for a signature.
 */
export function verifyCoverage(
  chains: readonly ChainRead[],
  { checkpoints, publicKey, now }: { readonly checkpoints: readonly Checkpoint[]; readonly publicKey: KeyObject; readonly now: number },
  report: (writer: string, seq: number, message: string) => void,
): number {
  const byId = new Map(chains.map((chain) => [chain.writer, chain]));
  const covered = new Map<string, number>();
  const signedAt = new Map<string, number>();
  const waiting: string[] = [];
  const cover = ({ writer, seq, hash }: ChainHead): void => {
    if (byId.get(writer)?.hashes.get(seq) !== hash || seq <= (covered.get(writer) ?? 0)) return;
    covered.set(writer, seq);
    waiting.push(writer);
  };
  for (const checkpoint of checkpoints) {
    // A checkpoint without a signature covers nothing.
    if (checkpoint.signature === null) continue;
    if (!signatureHolds(checkpoint, publicKey)) {
      report(checkpoint.writer, checkpoint.seq, 'the signature of the checkpoint is not of this key');
      continue;
    }
    signedAt.set(checkpoint.writer, Math.max(Date.parse(checkpoint.at), signedAt.get(checkpoint.writer) ?? 0));
    cover(checkpoint);
  }
  for (let writer = waiting.pop(); writer !== undefined; writer = waiting.pop()) {
    for (const { seq, head } of byId.get(writer)?.heads ?? []) if (seq <= covered.get(writer)!) cover(head);
  }
  let pending = 0;
  for (const { writer, closed, first, last, oldestAfter } of chains) {
    const from = Math.max(first, (covered.get(writer) ?? 0) + 1);
    if (last < from) continue;
    const young = Math.max(signedAt.get(writer) ?? 0, oldestAfter(from)) >= now - pendingMs;
    if (!closed && young) pending += last - from + 1;
    else report(writer, from, from === last ? 'no signature covers the row' : `no signature covers rows ${from} to ${last}`);
  }
  return pending;
}
