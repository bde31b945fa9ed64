import type { KeyObject } from 'node:crypto';
import { hostname } from 'node:os';
import { uuidv7 } from '../../record/id.ts';
import { genesis, signCheckpoint } from '../hash-chain.ts';
import { entryOf, type Entry } from '../entry.ts';
import { dayMs, RollupCells } from '../rollup.ts';
import type { Retention, Whose } from '../sqlite/store.ts';
import type { LedgerTarget } from '../target.ts';
import { columnNames, stored, type Checkpoint, type EntryKind, type GapEntry, type LedgerColumns, type OpenEntry } from '../types.ts';
import type { HashChain } from './hash-chain.ts';
import type { PgClient } from './connect.ts';
import { erase } from './erase.ts';
import { foldIfFree } from './fold.ts';
import { headsOf, prune } from './retention.ts';
import { RowBytes, SumBytes } from './row-bytes.ts';
import { settledAtOpen } from './settle.ts';
import { dayTable, ensureDay, locks, openPostgres } from './tables.ts';

/** Interval at which a writer looks whether new sums wait to be added to those by hour and day, in ms. */
const foldMs = 10_000;

/** Whether a transaction appends the worker's batch, which would be sent again after a failure. */
type Work = 'append' | 'other';

export interface PostgresWriterOptions {
  readonly version: string;
  /** Ms since the epoch; default: the clock. */
  readonly now?: () => number;
}

/**
 * One writer of a ledger in PostgreSQL: the same chain, rows and sums as in SQLite. A batch is one COPY of its rows and one of its sums. A
 * broken connection is replaced; a batch whose commit was not confirmed is searched for before it is written again.
 */
export class PostgresWriter implements HashChain {
  readonly id: string;
  readonly said = new Map<string, number>();
  readonly now: () => number;
  readonly #target: LedgerTarget;
  readonly #cells = new RollupCells(() => new Set(), { tables: ['by_hour'] });
  readonly #rows = new RowBytes();
  readonly #sums = new SumBytes();
  #client: PgClient | null;
  #n = 0;
  #seq = 0;
  #hash: Buffer;
  /** The day whose table takes the next rows; it never goes back, whatever the clock does. */
  #day = 0;
  #readyDay = 0;
  #foldAt = 0;
  /** The end of the chain if the last, unconfirmed transaction was committed after all. */
  #doubtful: { readonly work: Work; readonly seq: number; readonly hash: Buffer } | null = null;

  private constructor(target: LedgerTarget, client: PgClient, now: () => number) {
    this.#target = target;
    this.#client = client;
    this.now = now;
    this.id = uuidv7();
    this.#hash = genesis(this.id);
  }

  /** Registers the writer, writes its first row, and a gap row for each writer that ended without closing. */
  static async open(target: LedgerTarget, { version, now = () => Date.now() }: PostgresWriterOptions): Promise<PostgresWriter> {
    const client = await openPostgres(target, 'write');
    const writer = new PostgresWriter(target, client, now);
    await writer.#begin(client, version);
    return writer;
  }

  get seq(): number {
    return this.#seq;
  }

  get day(): number {
    return this.#day;
  }

  async #begin(client: PgClient, version: string): Promise<void> {
    const now = this.now();
    await this.atomic(async () => {
      const { rows: unclosed } = await client.query<{ n: number; id: string }>('SELECT n, id FROM writers WHERE closed IS NULL ORDER BY n');
      const heads = await headsOf(client);
      for (const { writer, seq } of heads) this.said.set(writer, seq);
      const { settled, adopted } = await settledAtOpen(client);
      const { rows } = await client.query<{ n: number }>(
        'INSERT INTO writers (id, host, pid, started) VALUES ($1, $2, $3, $4) RETURNING n',
        [this.id, hostname(), process.pid, now],
      );
      this.#n = rows[0]!.n;
      await client.query('SELECT pg_advisory_lock($1, $2)', [locks.writers, this.#n]);
      this.say(
        'open',
        now,
        JSON.stringify({
          writer: this.id,
          host: hostname(),
          pid: process.pid,
          version,
          heads,
          settled,
          ...(adopted > 0 ? { adopted } : {}),
        } satisfies OpenEntry),
      );
      for (const gone of unclosed) {
        // A running writer holds its lock, on any host.
        const { rows: got } = await client.query<{ free: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS free', [locks.writers, gone.n]);
        if (got[0]?.free !== true) continue;
        const { rows: last } = await client.query<{ seq: number; at: number }>(
          'SELECT seq, at FROM entries WHERE writer = $1 ORDER BY seq DESC LIMIT 1',
          [gone.n],
        );
        const gap: GapEntry = {
          cause: 'killed',
          writer: gone.id,
          afterSeq: last[0]?.seq ?? 0,
          lastAt: new Date(last[0]?.at ?? now).toISOString(),
        };
        this.say('gap', now, JSON.stringify(gap));
        await client.query('UPDATE writers SET closed = $1 WHERE n = $2', [now, gone.n]);
        await client.query('SELECT pg_advisory_unlock($1, $2)', [locks.writers, gone.n]);
      }
    });
  }

  /** Appends records and grades, as rows or as JSON, in one transaction; `dropped` > 0 adds a gap row before them. */
  async append(lines: Iterable<Entry | string>, dropped = 0): Promise<void> {
    if ((await this.#settleDoubt()) === 'append') return;
    await this.#fold();
    await this.atomic(() => {
      if (dropped > 0) this.say('gap', this.now(), JSON.stringify({ cause: 'overload', dropped } satisfies GapEntry));
      for (const line of lines) this.#entry(typeof line === 'string' ? entryOf(line) : line);
    }, 'append');
  }

  #entry(entry: Entry): void {
    const { at, body } = entry;
    if (entry.kind === 'grade') {
      this.#append('grade', at, storable(entry.columns), body);
      return;
    }
    const columns = storable(entry.columns);
    this.#append('exchange', at, columns, body);
    this.#cells.add(at, columns);
  }

  /** Before a batch rather than after it: a batch that is on disk is acknowledged, whatever happens to sums. */
  async #fold(): Promise<void> {
    const now = performance.now();
    if (now < this.#foldAt) return;
    // Not all replicas at the same moment.
    this.#foldAt = now + foldMs * (0.75 + Math.random() / 2);
    await this.#guarded(foldIfFree);
  }

  /** Records the current end of the chain. */
  async checkpoint(key: KeyObject | null): Promise<Checkpoint> {
    const checkpoint = signCheckpoint(
      { writer: this.id, seq: this.#seq, hash: this.#hash.toString('hex'), at: new Date(this.now()).toISOString() },
      key,
    );
    const client = await this.connected();
    await client.query(
      'INSERT INTO checkpoints (writer, seq, hash, at, signature) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (writer, seq) DO UPDATE SET at = excluded.at, signature = excluded.signature',
      [checkpoint.writer, checkpoint.seq, checkpoint.hash, checkpoint.at, checkpoint.signature],
    );
    return checkpoint;
  }

  /** Writes the closing row: nothing is missing after it. The connection stays open. */
  async close(): Promise<void> {
    await this.#settleDoubt();
    await this.atomic(async (client) => {
      this.say('close', this.now(), '{}');
      await client.query('UPDATE writers SET closed = $1 WHERE n = $2', [this.now(), this.#n]);
    });
  }

  async end(): Promise<void> {
    await this.#client?.end().catch(() => undefined);
    this.#client = null;
  }

  /** Like in SQLite. PostgreSQL's write-ahead log and backups are not erased. */
  erase(whose: Whose, reason: string): Promise<number> {
    return erase(this, whose, reason);
  }

  /** Like in SQLite, by whole days; one replica at a time. */
  prune(retention: Retention, now: number = this.now()): Promise<number> {
    return prune(this, retention, now);
  }

  say(kind: EntryKind, at: number, body: string): void {
    this.#append(kind, at, null, body);
  }

  #append(kind: EntryKind, at: number, columns: Partial<LedgerColumns> | null, body: string): void {
    const seq = this.#seq + 1;
    this.#hash = this.#rows.add({ n: this.#n, seq, previous: this.#hash, day: this.#day }, { kind, at, columns, body });
    this.#seq = seq;
  }

  /** Runs in one transaction, and writes the rows that `work` appended. If it fails, the end of the chain is unchanged. */
  async atomic<T>(work: (client: PgClient) => T | Promise<T>, kind: Work = 'other'): Promise<T> {
    await this.#ready();
    const before = { seq: this.#seq, hash: this.#hash };
    let committing = false;
    try {
      return await this.#guarded(async (client) => {
        await client.query('BEGIN');
        const result = await work(client);
        await this.#rows.write(client, dayTable(this.#day));
        await this.#sums.write(client, this.#cells);
        committing = true;
        await client.query('COMMIT');
        return result;
      });
    } catch (error) {
      // Without a response to COMMIT its result is unknown.
      this.#doubtful = committing ? { work: kind, seq: this.#seq, hash: this.#hash } : null;
      this.#seq = before.seq;
      this.#hash = before.hash;
      throw error;
    } finally {
      this.#rows.clear();
      this.#cells.clear();
    }
  }

  /** The table of the day that takes the next rows. */
  async #ready(): Promise<void> {
    this.#day = Math.max(this.#day, Math.floor(this.now() / dayMs));
    if (this.#readyDay === this.#day) return;
    await this.#guarded((client) => ensureDay(client, this.#day));
    this.#readyDay = this.#day;
  }

  /** After a failure the connection is given up, and with it a transaction that was not committed. */
  async #guarded<T>(work: (client: PgClient) => Promise<T>): Promise<T> {
    const client = await this.connected();
    try {
      return await work(client);
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      await client.end().catch(() => undefined);
      this.#client = null;
      // A replica whose clock is right may have dropped the table of one whose clock is not.
      this.#readyDay = 0;
      throw error;
    }
  }

  /** The kind of the unconfirmed transaction if it was committed: then it must not be written again. */
  async #settleDoubt(): Promise<Work | null> {
    const doubtful = this.#doubtful;
    if (doubtful === null) return null;
    const client = await this.connected();
    const { rows } = await client.query<{ hash: Buffer }>('SELECT hash FROM entries WHERE writer = $1 AND seq = $2', [
      this.#n,
      doubtful.seq,
    ]);
    this.#doubtful = null;
    if (rows[0]?.hash.equals(doubtful.hash) !== true) return null;
    this.#seq = doubtful.seq;
    this.#hash = doubtful.hash;
    return doubtful.work;
  }

  async connected(): Promise<PgClient> {
    if (this.#client !== null) return this.#client;
    const client = await openPostgres(this.#target, 'readonly');
    // The lock was lost with the connection; another writer may have considered this one dead meanwhile.
    await client.query('SELECT pg_advisory_lock($1, $2)', [locks.writers, this.#n]);
    await client.query('UPDATE writers SET closed = NULL WHERE n = $1', [this.#n]);
    this.#client = client;
    return client;
  }
}

/** Columns that the database takes: only what callers chose can be otherwise. */
function storable<T extends Partial<LedgerColumns>>(columns: T): T {
  for (const name of columnNames) {
    const value = columns[name];
    if (value === undefined || value === null || stored(name, value) === value) continue;
    return Object.fromEntries(columnNames.map((each) => [each, stored(each, columns[each] ?? null)])) as T;
  }
  return columns;
}
