import type { KeyObject } from 'node:crypto';
import type { Grade } from '../grades/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { Entry } from './entry.ts';
import type { DecisionsQuery, SavingsQuery, SavingsReport } from './query.ts';
import type { Db } from './sqlite/database.ts';
import type { Retention, Whose } from './sqlite/store.ts';
import type { LedgerTarget } from './target.ts';
import type { RestingChain, Checkpoint } from './types.ts';

/**
 * A kind of database for a ledger. To add another, create a folder with one of these and list it in `backends.ts`: no other code knows the
 * kinds. Opening a ledger rejects with SLUICE_LEDGER_UNUSABLE.
 */
export interface LedgerBackend {
  /** Name for display. */
  readonly name: string;
  /** Shared by replicas: a server that may be unavailable for a while, rather than a file on this machine. */
  readonly shared: boolean;
  /** Whether this backend handles the place. */
  owns(place: string): boolean;
  /** The place for display, without its password. */
  shown(place: string): string;
  /** Whether the ledger exists, as far as known without asking a server. */
  isThere(place: string): boolean;
  /** Whether an error means temporarily unreachable; a refused connection does not recover by itself. */
  isAway(error: unknown): boolean;
  openReader(target: LedgerTarget): Promise<LedgerReader>;
  /** Begins a new chain, or continues `resume` if the ledger still holds it. `existing`: do not create a ledger that is missing. */
  openWriter(
    target: LedgerTarget,
    options: { readonly version: string; readonly existing?: boolean; readonly resume?: RestingChain | null },
  ): Promise<OpenedWriter>;
  /**
   * The ledger's rows in SQLite as of one moment. `from`: exchanges since then (ms since the epoch) are enough; null for all rows,
   * including those needed to verify them.
   */
  openRows(target: LedgerTarget, from: number | null): Promise<OpenedRows>;
}

/** Queries on a ledger of any kind. Methods reject with SluiceError. */
export interface LedgerReader {
  decisions(query: DecisionsQuery): Promise<ExchangeRecord[]>;
  record(id: string): Promise<ExchangeRecord | null>;
  grades(id: string): Promise<Grade[]>;
  savings(query: SavingsQuery): Promise<SavingsReport>;
  close(): Promise<void>;
}

/** The writer of a file returns values directly, that of a database promises. */
export interface Writer {
  readonly id: string;
  readonly seq: number;
  /** Records and grades, as rows or as one line of JSON each. */
  append(lines: Iterable<Entry | string>, dropped: number): void | Promise<void>;
  checkpoint(key: KeyObject | null): Checkpoint | Promise<Checkpoint>;
  prune(retention: Retention): number | Promise<number>;
  /** Returns the number of erased rows. */
  erase(whose: Whose, reason: string): number | Promise<number>;
  close(): void | Promise<void>;
}

/** A writer, and the function that closes its connection. */
export interface OpenedWriter {
  readonly writer: Writer;
  /** What continues its chain once it is closed. Absent where only a thread may open the ledger, since that can wait for a server. */
  readonly rest?: () => RestingChain;
  /** Returns true if its file was removed or replaced, so that writes are lost. Absent if this cannot happen. */
  readonly gone?: () => boolean;
  readonly end: () => void | Promise<void>;
}

/** A row that a database holds more than once. `writer`: its number. */
export interface DoubledRow {
  readonly writer: number;
  readonly seq: number;
}

export interface OpenedRows {
  readonly db: Db;
  /** Absent if the tables exclude them. */
  readonly doubled?: readonly DoubledRow[];
  /** Hours whose sums were written while the rows were read; ms since the epoch. Absent if all is of one moment. */
  readonly moving?: readonly number[];
  /** What a server has that could change or hide rows, one sentence each. Absent if the rows' own file would show it. */
  readonly foreign?: readonly string[];
  readonly close: () => void;
}
