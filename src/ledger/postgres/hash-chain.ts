import type { EntryKind } from '../types.ts';
import type { PgClient } from './connect.ts';

/** One chain as `prune` and `erase` use it. */
export interface HashChain {
  readonly id: string;
  /** The ends of other chains that this chain's rows have recorded. */
  readonly said: Map<string, number>;
  /** The day whose table takes this chain's rows; in days since the epoch. */
  readonly day: number;
  /** Ms since the epoch. */
  now(): number;
  connected(): Promise<PgClient>;
  /** Runs in one transaction, with the rows that `work` says. */
  atomic<T>(work: (client: PgClient) => T | Promise<T>): Promise<T>;
  /** Appends a row of the ledger's own; only within `atomic`. */
  say(kind: EntryKind, at: number, body: string): void;
}
