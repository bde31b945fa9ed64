import { randomBytes, type KeyObject } from 'node:crypto';
import { hostname } from 'node:os';
import { uuidv7 } from '../../record/id.ts';
import type { ExchangeRecord } from '../../record/types.ts';
import { contentHash, genesis, rowHash, signCheckpoint } from '../chain.ts';
import { moneySums, rollupKeys, rollupSums } from '../sqlite/database.ts';
import { RollupCells } from '../rollup.ts';
import { eraseConditions, oldestSums, sumsOf, type DoomedRow, type Retention, type Whose } from '../sqlite/store.ts';
import type { LedgerTarget } from '../target.ts';
import {
  columnNames,
  columnsOf,
  columnTypes,
  gradeColumns,
  type ChainHead,
  type Checkpoint,
  type EntryKind,
  type EraseEntry,
  type GapEntry,
  type GradeEntry,
  type LedgerColumns,
  type OpenEntry,
  type PruneEntry,
} from '../types.ts';
import { numbered, type PgClient } from './connect.ts';
import { settle, settledAtOpen, settledHead } from './settle.ts';
import { locks, openPostgres } from './tables.ts';

const saltBytes = 16;

/** Rows per transaction of `prune` and `erase`. */
const chunk = 5_000;

/** Whether a transaction appends the worker's batch, which would be sent again after a failure. */
type Work = 'append' | 'other';

interface NewRow {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly at: number;
  readonly columns: Partial<LedgerColumns> | null;
  readonly salt: Buffer;
  readonly body: string;
  readonly content: Buffer;
  readonly hash: Buffer;
}

const pgArrays = { text: 'text[]', whole: 'bigint[]', real: 'double precision[]' } as const;

/** One statement for any number of rows, with one array per column. */
const insertSql = `INSERT INTO entries (writer, seq, kind, at, ${columnNames.map((name) => `"${name}"`).join(', ')}, salt, body, content, hash)
  SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bigint[], ${columnNames.map((name, at) => `$${5 + at}::${pgArrays[columnTypes[name]]}`).join(', ')}, ${['bytea[]', 'text[]', 'bytea[]', 'bytea[]'].map((type, at) => `$${5 + columnNames.length + at}::${type}`).join(', ')})`;

const upsertSql = (table: string): string => `INSERT INTO ${table} (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')})
  SELECT * FROM unnest($1::bigint[], ${rollupKeys.map((_key, at) => `$${2 + at}::text[]`).join(', ')}, ${rollupSums.map((sum, at) => `$${2 + rollupKeys.length + at}::${moneySums.has(sum) ? 'double precision[]' : 'bigint[]'}`).join(', ')})
  ON CONFLICT (at, ${rollupKeys.join(', ')}) DO UPDATE SET ${rollupSums.map((sum) => `${sum} = ${table}.${sum} + excluded.${sum}`).join(', ')}`;

/**
 * One writer of a ledger in PostgreSQL: the same chain, rows and sums as in SQLite. A broken connection is replaced; a batch whose commit
 * was not confirmed is searched for before it is written again.
 */
export class PostgresWriter {
  readonly id: string;
  readonly #target: LedgerTarget;
  readonly #cells = new RollupCells(() => new Set());
  #client: PgClient | null;
  /** The ends of other chains that this chain's rows have recorded. */
  readonly #said = new Map<string, number>();
  #n = 0;
  #seq = 0;
  #hash: Buffer;
  #rows: NewRow[] = [];
  /** The end of the chain if the last, unconfirmed transaction was committed after all. */
  #doubtful: { readonly work: Work; readonly seq: number; readonly hash: Buffer } | null = null;

  private constructor(target: LedgerTarget, client: PgClient, id: string) {
    this.#target = target;
    this.#client = client;
    this.id = id;
    this.#hash = genesis(id);
  }

  /** Registers the writer, writes its first row, and a gap row for each writer that ended without closing. */
  static async open(target: LedgerTarget, options: { readonly version: string }): Promise<PostgresWriter> {
    const client = await openPostgres(target, 'write');
    const writer = new PostgresWriter(target, client, uuidv7());
    await writer.#begin(client, options.version);
    return writer;
  }

  get seq(): number {
    return this.#seq;
  }

  async #begin(client: PgClient, version: string): Promise<void> {
    const now = Date.now();
    await this.#atomic(async () => {
      const { rows: unclosed } = await client.query<{ n: number; id: string }>('SELECT n, id FROM writers WHERE closed IS NULL ORDER BY n');
      const heads = await headsOf(client);
      for (const { writer, seq } of heads) this.#said.set(writer, seq);
      const { settled, adopted } = await settledAtOpen(client);
      const { rows } = await client.query<{ n: number }>(
        'INSERT INTO writers (id, host, pid, started) VALUES ($1, $2, $3, $4) RETURNING n',
        [this.id, hostname(), process.pid, now],
      );
      this.#n = rows[0]!.n;
      await client.query('SELECT pg_advisory_lock($1, $2)', [locks.writers, this.#n]);
      this.#append(
        'open',
        now,
        null,
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
        this.#append('gap', now, null, JSON.stringify(gap));
        await client.query('UPDATE writers SET closed = $1 WHERE n = $2', [now, gone.n]);
        await client.query('SELECT pg_advisory_unlock($1, $2)', [locks.writers, gone.n]);
      }
    });
  }

  /** Appends records and grades, each as one line of JSON, in one transaction; `dropped` > 0 adds a gap row before them. */
  async append(lines: readonly string[], dropped = 0): Promise<void> {
    if ((await this.#settleDoubt()) === 'append') return;
    await this.#atomic(() => {
      if (dropped > 0) this.#append('gap', Date.now(), null, JSON.stringify({ cause: 'overload', dropped } satisfies GapEntry));
      for (const line of lines) {
        const entry = JSON.parse(line) as ExchangeRecord | GradeEntry;
        if ('grade' in entry) {
          this.#append('grade', Date.parse(entry.grade.time), gradeColumns(entry), line);
          continue;
        }
        const at = Date.parse(entry.time);
        const columns = columnsOf(entry);
        this.#append('exchange', at, columns, line);
        this.#cells.add(at, columns);
      }
    }, 'append');
  }

  /** Records the current end of the chain. */
  async checkpoint(key: KeyObject | null): Promise<Checkpoint> {
    const checkpoint = signCheckpoint(
      { writer: this.id, seq: this.#seq, hash: this.#hash.toString('hex'), at: new Date().toISOString() },
      key,
    );
    const client = await this.#connected();
    await client.query(
      'INSERT INTO checkpoints (writer, seq, hash, at, signature) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (writer, seq) DO UPDATE SET at = excluded.at, signature = excluded.signature',
      [checkpoint.writer, checkpoint.seq, checkpoint.hash, checkpoint.at, checkpoint.signature],
    );
    return checkpoint;
  }

  /** Writes the closing row: nothing is missing after it. The connection stays open. */
  async close(): Promise<void> {
    await this.#settleDoubt();
    await this.#atomic(async (client) => {
      this.#append('close', Date.now(), null, '{}');
      await client.query('UPDATE writers SET closed = $1 WHERE n = $2', [Date.now(), this.#n]);
    });
  }

  async end(): Promise<void> {
    await this.#client?.end().catch(() => undefined);
    this.#client = null;
  }

  /** Like in SQLite. PostgreSQL's write-ahead log and backups are not erased. */
  async erase(whose: Whose, reason: string): Promise<number> {
    let erased = 0;
    const value = 'workspace' in whose ? whose.workspace : whose.user;
    for (const condition of eraseConditions(whose)) {
      for (;;) {
        const done = await this.#atomic(async (client) => {
          const { rows } = await client.query<DoomedRow>(
            numbered(
              `SELECT e.*, e.writer AS n, w.id AS chain FROM entries e JOIN writers w ON w.n = e.writer WHERE e.body IS NOT NULL AND ${condition} LIMIT ${chunk}`,
            ),
            [value],
          );
          if (rows.length === 0) return 0;
          const settled = await settle(client, { sums: sumsOf(rows, 'workspace' in whose) });
          await client.query(
            `UPDATE entries SET salt = NULL, body = NULL, ${columnNames.map((name) => `"${name}" = NULL`).join(', ')} FROM unnest($1::int[], $2::bigint[]) AS gone (writer, seq) WHERE entries.writer = gone.writer AND entries.seq = gone.seq`,
            [rows.map(({ n }) => n), rows.map(({ seq }) => seq)],
          );
          const byWriter = new Map<string, number[]>();
          for (const { chain, seq } of rows) byWriter.set(chain, [...(byWriter.get(chain) ?? []), seq]);
          this.#append(
            'erase',
            Date.now(),
            null,
            JSON.stringify({ reason, settled, rows: [...byWriter].map(([writer, seqs]) => ({ writer, seqs })) } satisfies EraseEntry),
          );
          return rows.length;
        });
        if (done === 0) break;
        erased += done;
      }
    }
    if ('workspace' in whose) {
      await this.#atomic(async (client) => {
        await renameInRollups(client, whose.workspace);
        this.#append(
          'erase',
          Date.now(),
          null,
          JSON.stringify({ reason, settled: await settle(client, { erased: whose.workspace }), rows: [] } satisfies EraseEntry),
        );
      });
    }
    // Replaced rows stay in the table's pages until they are vacuumed.
    await (await this.#connected()).query('VACUUM entries');
    return erased;
  }

  /** Like in SQLite; one replica at a time. */
  async prune(retention: Retention, now: number = Date.now()): Promise<number> {
    const client = await this.#connected();
    const { rows: got } = await client.query<{ free: boolean }>('SELECT pg_try_advisory_lock($1) AS free', [locks.prune]);
    if (got[0]?.free !== true) return 0;
    try {
      return await this.#pruned(client, retention, now);
    } finally {
      await client.query('SELECT pg_advisory_unlock($1)', [locks.prune]);
    }
  }

  async #pruned(client: PgClient, retention: Retention, now: number): Promise<number> {
    let removed = 0;
    const { rows: before } = await client.query<ChainHead>('SELECT writer, seq, hash FROM pruned');
    await this.#atomic((inside) => this.#sayAgain(inside, { removed: before, since: oldestSums(now, retention), now }));
    const { rows: writers } = await client.query<{ n: number; id: string }>('SELECT n, id FROM writers ORDER BY n');
    for (const writer of writers) {
      for (;;) {
        const { rows } = await client.query<{ seq: number; hash: Buffer }>(
          `SELECT seq, hash FROM (SELECT seq, hash FROM entries WHERE writer = $1 AND seq < coalesce((SELECT min(seq) FROM entries WHERE writer = $1 AND at >= $2), 9223372036854775807) ORDER BY seq LIMIT ${chunk}) AS old ORDER BY seq DESC LIMIT 1`,
          [writer.n, now - retention.rowsMs],
        );
        const [last] = rows;
        if (last === undefined) break;
        removed += await this.#atomic(async () => {
          const { rows: doomed } = await client.query<DoomedRow>('SELECT * FROM entries WHERE writer = $1 AND seq <= $2', [
            writer.n,
            last.seq,
          ]);
          const settled = await settle(client, { sums: sumsOf(doomed, false) });
          const { rowCount } = await client.query('DELETE FROM entries WHERE writer = $1 AND seq <= $2', [writer.n, last.seq]);
          const head: ChainHead = { writer: writer.id, seq: last.seq, hash: last.hash.toString('hex') };
          await client.query(
            'INSERT INTO pruned (writer, seq, hash) VALUES ($1, $2, $3) ON CONFLICT (writer) DO UPDATE SET seq = excluded.seq, hash = excluded.hash',
            [head.writer, head.seq, head.hash],
          );
          await client.query('DELETE FROM checkpoints WHERE writer = $1 AND seq <= $2', [head.writer, head.seq]);
          this.#append('prune', now, null, JSON.stringify({ removed: [head], settled } satisfies PruneEntry));
          return rowCount ?? 0;
        });
      }
    }
    return removed;
  }

  /** Like in SQLite: every run repeats it, because the rows that recorded it earlier are pruned, too. */
  async #sayAgain(
    client: PgClient,
    { removed, since, now }: { readonly removed: readonly ChainHead[]; readonly since: number; readonly now: number },
  ): Promise<void> {
    const { rows } = await client.query<{ old: boolean }>(
      `SELECT ${['by_hour', 'by_day', 'settled'].map((table) => `EXISTS (SELECT 1 FROM ${table} WHERE at < $1)`).join(' OR ')} AS old`,
      [since],
    );
    const old = rows[0]?.old === true;
    const heads = (await headsOf(client)).filter(({ writer, seq }) => writer !== this.id && this.#said.get(writer) !== seq);
    if (removed.length === 0 && heads.length === 0 && !old) return;
    for (const { writer, seq } of heads) this.#said.set(writer, seq);
    if (old) for (const table of ['by_hour', 'by_day']) await client.query(`DELETE FROM ${table} WHERE at < $1`, [since]);
    const settled = old ? await settle(client, { since }) : ((await settledHead(client)) ?? undefined);
    this.#append(
      'prune',
      now,
      null,
      JSON.stringify({ removed, ...(settled === undefined ? {} : { settled }), heads } satisfies PruneEntry),
    );
  }

  #append(kind: EntryKind, at: number, columns: Partial<LedgerColumns> | null, body: string): void {
    const salt = randomBytes(saltBytes);
    const content = contentHash(salt, body);
    const seq = this.#seq + 1;
    const hash = rowHash(this.#hash, seq, kind, at, content);
    this.#rows.push({ seq, kind, at, columns, salt, body, content, hash });
    this.#seq = seq;
    this.#hash = hash;
  }

  /** Runs in one transaction, and writes the rows that `work` appended. If it fails, the end of the chain is unchanged. */
  async #atomic<T>(work: (client: PgClient) => T | Promise<T>, kind: Work = 'other'): Promise<T> {
    const client = await this.#connected();
    const before = { seq: this.#seq, hash: this.#hash };
    let committing = false;
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await this.#flush(client);
      committing = true;
      await client.query('COMMIT');
      return result;
    } catch (error) {
      // Without a response to COMMIT its result is unknown.
      this.#doubtful = committing ? { work: kind, seq: this.#seq, hash: this.#hash } : null;
      this.#seq = before.seq;
      this.#hash = before.hash;
      await client.query('ROLLBACK').catch(() => undefined);
      await client.end().catch(() => undefined);
      this.#client = null;
      throw error;
    } finally {
      this.#rows = [];
      this.#cells.clear();
    }
  }

  async #flush(client: PgClient): Promise<void> {
    const rows = this.#rows;
    if (rows.length > 0) {
      await client.query(insertSql, [
        this.#n,
        rows.map(({ seq }) => seq),
        rows.map(({ kind }) => kind),
        rows.map(({ at }) => at),
        ...columnNames.map((name) => rows.map(({ columns }) => columns?.[name] ?? null)),
        rows.map(({ salt }) => salt),
        rows.map(({ body }) => body),
        rows.map(({ content }) => content),
        rows.map(({ hash }) => hash),
      ]);
    }
    for (const { name, cells } of this.#cells.tables) {
      if (cells.size === 0) continue;
      // All writers use the same order; otherwise two writers locking the same sums could deadlock.
      const sorted = [...cells.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cell]) => cell);
      await client.query(upsertSql(name), [
        sorted.map(({ at }) => at),
        ...rollupKeys.map((_key, index) => sorted.map(({ keys }) => keys[index])),
        ...rollupSums.map((sum) => sorted.map(({ sums }) => sums[sum])),
      ]);
    }
  }

  /** The kind of the unconfirmed transaction if it was committed: then it must not be written again. */
  async #settleDoubt(): Promise<Work | null> {
    const doubtful = this.#doubtful;
    if (doubtful === null) return null;
    const client = await this.#connected();
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

  async #connected(): Promise<PgClient> {
    if (this.#client !== null) return this.#client;
    const client = await openPostgres(this.#target, 'readonly');
    // The lock was lost with the connection; another writer may have considered this one dead meanwhile.
    await client.query('SELECT pg_advisory_lock($1, $2)', [locks.writers, this.#n]);
    await client.query('UPDATE writers SET closed = NULL WHERE n = $1', [this.#n]);
    this.#client = client;
    return client;
  }
}

/** The end of every chain. */
async function headsOf(client: PgClient): Promise<ChainHead[]> {
  const { rows } = await client.query<{ writer: string; seq: number; hash: Buffer }>(
    'SELECT w.id AS writer, e.seq, e.hash FROM writers w JOIN LATERAL (SELECT seq, hash FROM entries WHERE writer = w.n ORDER BY seq DESC LIMIT 1) e ON true',
  );
  return rows.map(({ writer, seq, hash }) => ({ writer, seq, hash: hash.toString('hex') }));
}

async function renameInRollups(client: PgClient, workspace: string): Promise<void> {
  for (const table of ['by_hour', 'by_day']) {
    const keys = rollupKeys.map((key) => (key === 'workspace' ? `'erased'` : key));
    await client.query(
      `INSERT INTO ${table} (at, ${rollupKeys.join(', ')}, ${rollupSums.join(', ')}) SELECT at, ${keys.join(', ')}, ${rollupSums.join(', ')} FROM ${table} WHERE workspace = $1
       ON CONFLICT (at, ${rollupKeys.join(', ')}) DO UPDATE SET ${rollupSums.map((sum) => `${sum} = ${table}.${sum} + excluded.${sum}`).join(', ')}`,
      [workspace],
    );
    await client.query(`DELETE FROM ${table} WHERE workspace = $1`, [workspace]);
  }
}
