import { isoTime } from '../../lib/iso-time.ts';
import type { KeyObject } from 'node:crypto';
import { hostname } from 'node:os';
import type { Statement } from 'better-sqlite3';
import { uuidv7 } from '../../record/id.ts';
import { genesis, rowHash, saltedHash, signCheckpoint } from '../hash-chain.ts';
import type { RestingChain } from '../types.ts';
import type { Db } from './database.ts';
import { entryOf, type Entry } from '../entry.ts';
import { dayMs, Rollups } from '../rollup.ts';
import { saltBytes, SaltedContent } from '../salted.ts';
import { erasedName, HourSums, settle, settledAtOpen, settledHead } from '../sums.ts';
import {
  columnNames,
  type ChainHead,
  type Checkpoint,
  type EntryKind,
  type EraseEntry,
  type GapEntry,
  type LedgerColumns,
  type OpenEntry,
  type PruneEntry,
} from '../types.ts';

/** Rows per transaction of `prune` and `erase`, so that writers do not wait long. */
const chunk = 5_000;

/** Whose exchanges to erase; a user is given by the hash in records. */
export type Whose = { readonly workspace: string } | { readonly user: string };

/** Conditions with one parameter each, in order of erasure. */
export function eraseConditions(whose: Whose): readonly string[] {
  if ('workspace' in whose) return [`e.kind IN ('exchange', 'grade') AND e.workspace = ?`];
  return [
    `e.kind = 'grade' AND e.id IN (SELECT id FROM entries WHERE kind = 'exchange' AND "user" = ?)`,
    `e.kind = 'exchange' AND e."user" = ?`,
  ];
}

/** How long rows and roll-ups are kept. */
export interface Retention {
  /** Milliseconds. */
  readonly rowsMs: number;
  readonly rollupsMs: number;
}

/**
 * One writer of a ledger: appends rows to its own hash chain. Every method is one transaction or a few, and throws SQLite's errors; a
 * failed transaction writes nothing.
 */
export class LedgerWriter {
  readonly id: string;
  readonly #db: Db;
  readonly #n: number;
  readonly #rollups: Rollups;
  readonly #insert: Statement;
  readonly #salted = new SaltedContent();
  /** Parameters of `#insert`, used again. */
  readonly #values: (string | number | null | Buffer)[] = [];
  /** The ends of other chains that this chain's rows have recorded. */
  readonly #said = new Map<string, number>();
  #seq = 0;
  #hash: Buffer;

  /**
   * Registers the writer, writes its first row, and a gap row for each writer of this host that ended without closing. With `resume` it
   * continues that chain, and writes nothing.
   */
  constructor(db: Db, options: { readonly version: string; readonly id?: string; readonly resume?: RestingChain | null }) {
    const { resume = null } = options;
    this.#db = db;
    this.id = resume?.id ?? options.id ?? uuidv7();
    this.#hash = resume === null ? genesis(this.id) : Buffer.from(resume.hash);
    this.#rollups = new Rollups(db);
    this.#insert = db.prepare(
      `INSERT INTO entries (writer, seq, kind, at, ${columnNames.map((name) => `"${name}"`).join(', ')}, salt, body, content, hash) VALUES (${Array(
        8 + columnNames.length,
      )
        .fill('?')
        .join(', ')})`,
    );
    if (resume === null) this.#n = this.#register(options.version);
    else {
      this.#n = resume.n;
      this.#seq = resume.seq;
      for (const [writer, seq] of resume.said) this.#said.set(writer, seq);
    }
  }

  /** Returns the writer's number. */
  #register(version: string): number {
    const host = hostname();
    const now = Date.now();
    return this.#db
      .transaction(() => {
        const db = this.#db;
        const unclosed = db
          .prepare<[string], { n: number; id: string; pid: number }>('SELECT n, id, pid FROM writers WHERE host = ? AND closed IS NULL')
          .all(host);
        const heads = this.#heads();
        const { settled, adopted } = settledAtOpen(db);
        for (const { writer, seq } of heads) this.#said.set(writer, seq);
        const n = Number(
          db.prepare('INSERT INTO writers (id, host, pid, started) VALUES (?, ?, ?, ?)').run(this.id, host, process.pid, now)
            .lastInsertRowid,
        );
        this.#append(
          n,
          'open',
          now,
          null,
          JSON.stringify({
            writer: this.id,
            host,
            pid: process.pid,
            version,
            heads,
            settled,
            ...(adopted > 0 ? { adopted } : {}),
          } satisfies OpenEntry),
        );
        for (const gone of unclosed) {
          if (alive(gone.pid) && gone.pid !== process.pid) continue;
          const last = db
            .prepare<[number], { seq: number; at: number }>('SELECT seq, at FROM entries WHERE writer = ? ORDER BY seq DESC LIMIT 1')
            .get(gone.n);
          const gap: GapEntry = {
            cause: 'killed',
            writer: gone.id,
            afterSeq: last?.seq ?? 0,
            lastAt: new Date(last?.at ?? now).toISOString(),
          };
          this.#append(n, 'gap', now, null, JSON.stringify(gap));
          db.prepare('UPDATE writers SET closed = ? WHERE n = ?').run(now, gone.n);
        }
        return n;
      })
      .immediate();
  }

  /** What continues this chain after the database was closed. */
  rest(): RestingChain {
    const oldest = (table: string): number =>
      this.#db.prepare<[], number | null>(`SELECT min(at) FROM ${table}`).pluck().get() ?? Number.POSITIVE_INFINITY;
    return {
      id: this.id,
      n: this.#n,
      seq: this.#seq,
      hash: this.#hash,
      said: [...this.#said],
      hasExchanges: this.#db.prepare<[], number>(`SELECT 1 FROM entries WHERE kind = 'exchange' LIMIT 1`).pluck().get() !== undefined,
      oldestRow: oldest('entries'),
      oldestSum: Math.min(...['by_hour', 'by_day', 'settled'].map(oldest)),
    };
  }

  /** Last written sequence number. */
  get seq(): number {
    return this.#seq;
  }

  /** Appends records and grades, as rows or as JSON, in one transaction; `dropped` > 0 adds a gap row before them. */
  append(lines: Iterable<Entry | string>, dropped = 0): void {
    this.#atomic(() => {
      if (dropped > 0) this.#append(this.#n, 'gap', Date.now(), null, JSON.stringify({ cause: 'overload', dropped } satisfies GapEntry));
      for (const line of lines) {
        const entry = typeof line === 'string' ? entryOf(line) : line;
        this.#append(this.#n, entry.kind, entry.at, entry.columns, entry.body);
        if (entry.kind === 'exchange') this.#rollups.add(entry.at, entry.columns);
      }
      this.#rollups.flush();
    });
  }

  /** Records the current end of the chain. */
  checkpoint(key: KeyObject | null): Checkpoint {
    const checkpoint = signCheckpoint({ writer: this.id, seq: this.#seq, hash: this.#hash.toString('hex'), at: isoTime(Date.now()) }, key);
    this.#db
      .prepare('INSERT OR REPLACE INTO checkpoints (writer, seq, hash, at, signature) VALUES (?, ?, ?, ?, ?)')
      .run(checkpoint.writer, checkpoint.seq, checkpoint.hash, checkpoint.at, checkpoint.signature);
    return checkpoint;
  }

  /** Writes the closing row: nothing is missing after it. */
  close(): void {
    this.#atomic(() => {
      this.#append(this.#n, 'close', Date.now(), null, '{}');
      this.#db.prepare('UPDATE writers SET closed = ? WHERE n = ?').run(Date.now(), this.#n);
    });
  }

  /**
   * Erases the content of all exchanges of a workspace or a user, and the grades of their answers: the row and its place in the chain
   * remain as hashes; the content, its salt and every column are removed. In roll-ups the workspace's name becomes `erased`; they contain
   * no users. Returns the number of rows.
   */
  erase(whose: Whose, reason: string): number {
    let erased = 0;
    // Grades first, because they are found through their exchanges.
    for (const condition of eraseConditions(whose)) erased += this.#eraseWhere(condition, whose, reason);
    if ('workspace' in whose) this.#atomic(() => this.#renameInRollups(whose.workspace, reason));
    // Deleted data must not remain readable in free pages and the write-ahead log.
    this.#db.exec('VACUUM');
    this.#db.pragma('wal_checkpoint(TRUNCATE)');
    return erased;
  }

  #eraseWhere(condition: string, whose: Whose, reason: string): number {
    let erased = 0;
    const whole = 'workspace' in whose;
    const value = whole ? whose.workspace : whose.user;
    const select = this.#db.prepare<[string, number], DoomedRow>(
      `SELECT e.*, e.writer AS n, w.id AS chain FROM entries e JOIN writers w ON w.n = e.writer WHERE e.body IS NOT NULL AND ${condition} LIMIT ?`,
    );
    const clear = this.#db.prepare(
      `UPDATE entries SET salt = NULL, body = NULL, ${columnNames.map((name) => `"${name}" = NULL`).join(', ')} WHERE writer = ? AND seq = ?`,
    );
    for (;;) {
      const done = this.#atomic(() => {
        const rows = select.all(value, chunk);
        if (rows.length === 0) return 0;
        const byWriter = new Map<string, number[]>();
        for (const { n, chain, seq } of rows) {
          clear.run(n, seq);
          const seqs = byWriter.get(chain);
          if (seqs === undefined) byWriter.set(chain, [seq]);
          else seqs.push(seq);
        }
        // Their contribution to the sums stays known, under the name that the sums use.
        const settled = settle(this.#db, { sums: sumsOf(rows, whole) });
        const entry: EraseEntry = { reason, settled, rows: [...byWriter].map(([writer, seqs]) => ({ writer, seqs })) };
        this.#append(this.#n, 'erase', Date.now(), null, JSON.stringify(entry));
        return rows.length;
      });
      if (done === 0) break;
      erased += done;
    }
    return erased;
  }

  /**
   * Removes rows and roll-ups older than `retention`. A row of this writer's chain records where the other chains continue. Returns the
   * number of rows removed.
   */
  prune(retention: Retention, now: number = Date.now()): number {
    let removed = 0;
    const oldest = now - retention.rowsMs;
    // Every run repeats it, because the rows that recorded it earlier are pruned, too.
    const before = this.#db.prepare<[], ChainHead>('SELECT p.writer, p.seq, p.hash FROM pruned p').all();
    this.#atomic(() => this.#sayAgain(before, oldestSums(now, retention), now));
    for (const writer of this.#db.prepare<[], { n: number; id: string }>('SELECT n, id FROM writers').all()) {
      for (;;) {
        // A chain is only cut at its start, up to the first row that is recent enough.
        const keep = this.#db
          .prepare<[number, number], number>('SELECT seq FROM entries WHERE writer = ? AND at >= ? ORDER BY seq LIMIT 1')
          .pluck()
          .get(writer.n, oldest);
        const last = this.#db
          .prepare<[number, number, number], { seq: number; hash: Buffer }>(
            'SELECT seq, hash FROM (SELECT seq, hash FROM entries WHERE writer = ? AND seq < ? ORDER BY seq LIMIT ?) ORDER BY seq DESC LIMIT 1',
          )
          .get(writer.n, keep ?? Number.MAX_SAFE_INTEGER, chunk);
        if (last === undefined) break;
        removed += this.#atomic(() => this.#cut(writer, last, now));
      }
    }
    return removed;
  }

  /**
   * Appends the row that records the ends of chains and sums, so that earlier rows with them may be removed; nothing if there is nothing to
   * record.
   */
  #sayAgain(removed: readonly ChainHead[], since: number, now: number): void {
    const tables = ['by_hour', 'by_day', 'settled'];
    const old = tables.some(
      (table) => this.#db.prepare<[number], number>(`SELECT 1 FROM ${table} WHERE at < ? LIMIT 1`).pluck().get(since) !== undefined,
    );
    // Includes the other writers' chains, so that this one's signature covers them.
    const heads = this.#heads().filter(({ writer, seq }) => writer !== this.id && this.#said.get(writer) !== seq);
    if (removed.length === 0 && heads.length === 0 && !old) return;
    for (const { writer, seq } of heads) this.#said.set(writer, seq);
    if (old) for (const table of ['by_hour', 'by_day']) this.#db.prepare(`DELETE FROM ${table} WHERE at < ?`).run(since);
    const settled = old ? settle(this.#db, { since }) : (settledHead(this.#db) ?? undefined);
    this.#append(
      this.#n,
      'prune',
      now,
      null,
      JSON.stringify({ removed, ...(settled === undefined ? {} : { settled }), heads } satisfies PruneEntry),
    );
  }

  #cut(writer: { readonly n: number; readonly id: string }, last: { readonly seq: number; readonly hash: Buffer }, now: number): number {
    const rows = this.#db
      .prepare<[number, number], DoomedRow>('SELECT * FROM entries WHERE writer = ? AND seq <= ?')
      .all(writer.n, last.seq);
    const settled = settle(this.#db, { sums: sumsOf(rows, false) });
    const { changes } = this.#db.prepare('DELETE FROM entries WHERE writer = ? AND seq <= ?').run(writer.n, last.seq);
    const head: ChainHead = { writer: writer.id, seq: last.seq, hash: last.hash.toString('hex') };
    this.#db.prepare('INSERT OR REPLACE INTO pruned (writer, seq, hash) VALUES (?, ?, ?)').run(head.writer, head.seq, head.hash);
    this.#db.prepare('DELETE FROM checkpoints WHERE writer = ? AND seq <= ?').run(head.writer, head.seq);
    this.#append(this.#n, 'prune', now, null, JSON.stringify({ removed: [head], settled } satisfies PruneEntry));
    return changes;
  }

  /** The end of every chain. */
  #heads(): ChainHead[] {
    return this.#db
      .prepare<[], { writer: string; seq: number; hash: Buffer }>(
        'SELECT w.id AS writer, e.seq, e.hash FROM writers w JOIN entries e ON e.writer = w.n AND e.seq = (SELECT max(seq) FROM entries WHERE writer = w.n)',
      )
      .all()
      .map(({ writer, seq, hash }) => ({ writer, seq, hash: hash.toString('hex') }));
  }

  #renameInRollups(workspace: string, reason: string): void {
    this.#append(
      this.#n,
      'erase',
      Date.now(),
      null,
      JSON.stringify({ reason, settled: settle(this.#db, { erased: workspace }), rows: [] } satisfies EraseEntry),
    );
    for (const table of ['by_hour', 'by_day']) {
      const columns = (this.#db.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
      const keys = columns.slice(0, columns.indexOf('n'));
      const sums = columns.slice(columns.indexOf('n'));
      this.#db
        .prepare(
          `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${keys.map((key) => (key === 'workspace' ? `'erased'` : key)).join(', ')}, ${sums.join(', ')} FROM ${table} WHERE workspace = ?
           ON CONFLICT DO UPDATE SET ${sums.map((sum) => `${sum} = ${sum} + excluded.${sum}`).join(', ')}`,
        )
        .run(workspace);
      this.#db.prepare(`DELETE FROM ${table} WHERE workspace = ?`).run(workspace);
    }
  }

  /** Runs in one transaction; if it fails, the end of the chain is unchanged. */
  #atomic<T>(work: () => T): T {
    const seq = this.#seq;
    const hash = this.#hash;
    try {
      return this.#db.transaction(work).immediate();
    } catch (error) {
      this.#seq = seq;
      this.#hash = hash;
      this.#rollups.discard();
      throw error;
    }
  }

  #append(n: number, kind: EntryKind, at: number, columns: Partial<LedgerColumns> | null, body: string): void {
    const salted = this.#salted.of(body);
    const content = saltedHash(salted);
    const seq = this.#seq + 1;
    const hash = rowHash(this.#hash, seq, kind, at, content);
    const values = this.#values;
    values.length = 0;
    values.push(n, seq, kind, at);
    for (const name of columnNames) values.push(columns?.[name] ?? null);
    values.push(salted.subarray(0, saltBytes), body, content, hash);
    this.#insert.run(values);
    this.#seq = seq;
    this.#hash = hash;
  }
}

/** A row whose content is about to be erased, or that is about to be removed. */
export type DoomedRow = LedgerColumns & {
  readonly kind: EntryKind;
  readonly at: number;
  readonly seq: number;
  readonly n: number;
  readonly chain: string;
  readonly body: string | null;
};

/**
 * What exchanges among these rows add to the roll-ups; `erased`: under that name instead of their workspace's. Rows without content were
 * settled before.
 */
export function sumsOf(rows: readonly DoomedRow[], erased: boolean): HourSums {
  const sums = new HourSums();
  for (const row of rows) if (row.kind === 'exchange' && row.body !== null) sums.add(row.at, row, erased ? erasedName : null);
  return sums;
}

/** Sums are kept by whole days, so that hourly and daily sums end at the same moment. */
export function oldestSums(now: number, { rollupsMs }: Retention): number {
  const oldest = now - rollupsMs;
  return Math.max(0, oldest - (oldest % dayMs));
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
