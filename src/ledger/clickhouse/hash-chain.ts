import type { ChainHead, EntryKind } from '../types.ts';
import type { ClickHouse } from './connect.ts';

/** One chain as `prune` and `erase` use it. */
export interface HashChain {
  readonly id: string;
  readonly client: ClickHouse;
  /** The ends of other chains that this chain's rows have recorded. */
  readonly said: Map<string, number>;
  /** The day that takes this chain's rows; in days since the epoch. */
  readonly day: number;
  /** Ms since the epoch. */
  now(): number;
  /** The end of every chain that has rows. */
  heads(): Promise<ChainHead[]>;
  /** Adds a row of the ledger's own to the next `write`. */
  say(kind: EntryKind, at: number, body: string): void;
  /** Inserts the rows since the last call. */
  write(): Promise<void>;
}
