import type { KeyObject } from 'node:crypto';
import type { Grade } from '../grades/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { DecisionsQuery, SavingsQuery, SavingsReport } from './query.ts';
import type { Db } from './sqlite/database.ts';
import type { Retention, Whose } from './sqlite/store.ts';
import type { LedgerTarget } from './target.ts';
import type { Checkpoint } from './types.ts';

/**
 * A kind of database that a ledger can be in. Another one is a folder with one of these, and its name in `backends.ts`: nobody else knows which kinds there
 * are. What opens a ledger rejects with SLUICE_LEDGER_UNUSABLE.
 */
export interface LedgerBackend {
  /** For people. */
  readonly name: string;
  /** Replicas share it: it is a server, which may be away for a while, and no file of this machine. */
  readonly shared: boolean;
  /** Whether a place is one of this kind. */
  owns(place: string): boolean;
  /** A place for people: without its password. */
  shown(place: string): string;
  /** Whether there is a ledger, as far as it can be said without asking a server. */
  isThere(place: string): boolean;
  /** Whether an error says that it cannot be reached now, and may be later: one that was refused will not get better by itself. */
  isAway(error: unknown): boolean;
  openReader(target: LedgerTarget): Promise<LedgerReader>;
  /** Begins a chain of its own. `existing`: a ledger that is not there is not made. */
  openWriter(target: LedgerTarget, options: { readonly version: string; readonly existing?: boolean }): Promise<OpenedWriter>;
  /** Its rows as of one moment, in SQLite. `from`: exchanges since then (ms since the epoch) will do; null: all, with what checks them. */
  openRows(target: LedgerTarget, from: number | null): Promise<OpenedRows>;
}

/** Questions to a ledger, wherever it is. Methods reject with SluiceError. */
export interface LedgerReader {
  decisions(query: DecisionsQuery): Promise<ExchangeRecord[]>;
  record(id: string): Promise<ExchangeRecord | null>;
  grades(id: string): Promise<Grade[]>;
  savings(query: SavingsQuery): Promise<SavingsReport>;
  close(): Promise<void>;
}

/** A writer of a file answers at once, one of a database later. */
export interface Writer {
  readonly id: string;
  readonly seq: number;
  append(lines: readonly string[], dropped: number): void | Promise<void>;
  checkpoint(key: KeyObject | null): Checkpoint | Promise<Checkpoint>;
  prune(retention: Retention): number | Promise<number>;
  /** How many rows were erased. */
  erase(whose: Whose, reason: string): number | Promise<number>;
  close(): void | Promise<void>;
}

/** A writer, and what ends its connection. */
export interface OpenedWriter {
  readonly writer: Writer;
  /** Its place was removed or replaced: what is written goes nowhere. Absent: that cannot be. */
  readonly gone?: () => boolean;
  readonly end: () => void | Promise<void>;
}

export interface OpenedRows {
  readonly db: Db;
  readonly close: () => void;
}
