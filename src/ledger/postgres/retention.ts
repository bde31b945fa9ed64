import { dayMs, hourMs } from '../rollup.ts';
import { oldestSums, sumsOf, type DoomedRow, type Retention } from '../sqlite/store.ts';
import { addCells, cellsOf, cellsSql, HourSums, type Cell, type CellRow, type Cells } from '../sums.ts';
import type { ChainHead, PruneEntry } from '../types.ts';
import type { HashChain } from './hash-chain.ts';
import type { PgClient } from './connect.ts';
import { settle, settledHead } from './settle.ts';
import { dayTables, earlierTable, locks } from './tables.ts';

/** Rows per transaction where there is no table a day. */
const chunk = 5_000;

/**
 * Removes rows and sums older than `retention`; one replica at a time. Rows go with the table of the day on which they were written. A row
 * of this chain records where the other chains continue. Returns the number of rows.
 */
export async function prune(hashChain: HashChain, retention: Retention, now: number): Promise<number> {
  const client = await hashChain.connected();
  const { rows: got } = await client.query<{ free: boolean }>('SELECT pg_try_advisory_lock($1) AS free', [locks.prune]);
  if (got[0]?.free !== true) return 0;
  try {
    const { rows: before } = await client.query<ChainHead>('SELECT writer, seq, hash FROM pruned');
    await hashChain.atomic((inside) => sayAgain(hashChain, inside, { removed: before, since: oldestSums(now, retention), now }));
    const oldest = now - retention.rowsMs;
    let removed = await pruneEarlier(hashChain, client, oldest, now);
    for (const { day, table } of await dayTables(client))
      if ((day + 1) * dayMs <= oldest && day !== hashChain.day)
        removed += await hashChain.atomic((inside) => dropDay(hashChain, inside, table, now));
    return removed;
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [locks.prune]).catch(() => undefined);
  }
}

/** The end of every writer's hash chain. */
export async function headsOf(client: PgClient): Promise<ChainHead[]> {
  const { rows } = await client.query<{ writer: string; seq: number; hash: Buffer }>(
    'SELECT w.id AS writer, e.seq, e.hash FROM writers w JOIN LATERAL (SELECT seq, hash FROM entries WHERE writer = w.n ORDER BY seq DESC LIMIT 1) e ON true',
  );
  return rows.map(({ writer, seq, hash }) => ({ writer, seq, hash: hash.toString('hex') }));
}

/**
 * Drops one day. The database adds up its rows, which stay known as settled sums. A lock that is not free soon is left for the next time:
 * whoever waits for it would make all writers wait.
 */
async function dropDay(hashChain: HashChain, client: PgClient, table: string, now: number): Promise<number> {
  await client.query(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '5s'`);
  const { rows: counted } = await client.query<{ n: number }>(`SELECT count(*) AS n FROM ${table}`);
  const { rows: cells } = await client.query<CellRow & { bucket: number }>(cellsSql(hourMs, 'true', table));
  const { rows: ends } = await client.query<{ writer: string; seq: number; hash: Buffer }>(
    `SELECT w.id AS writer, e.seq, e.hash FROM writers w JOIN LATERAL (SELECT seq, hash FROM ${table} WHERE writer = w.n ORDER BY seq DESC LIMIT 1) e ON true`,
  );
  const heads = ends.map(({ writer, seq, hash }): ChainHead => ({ writer, seq, hash: hash.toString('hex') }));
  await client.query(`DROP TABLE ${table}`);
  await cut(hashChain, client, { heads, sums: hourSums(cells), now });
  return counted[0]?.n ?? 0;
}

function hourSums(rows: readonly (CellRow & { readonly bucket: number })[]): HourSums {
  const sums = new HourSums();
  for (const row of rows) {
    const cells: Cells = sums.hours.get(row.bucket) ?? new Map<string, Cell>();
    addCells(cells, cellsOf([row]).values(), Infinity);
    sums.set(row.bucket, cells);
  }
  return sums;
}

/** Records where chains now begin, and the sums of what was removed. */
async function cut(
  hashChain: HashChain,
  client: PgClient,
  { heads, sums, now }: { readonly heads: readonly ChainHead[]; readonly sums: HourSums; readonly now: number },
): Promise<void> {
  const settled = await settle(client, { sums });
  await client.query(
    `INSERT INTO pruned (writer, seq, hash) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])
     ON CONFLICT (writer) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
    [heads.map(({ writer }) => writer), heads.map(({ seq }) => seq), heads.map(({ hash }) => hash)],
  );
  await client.query(
    'DELETE FROM checkpoints c USING unnest($1::text[], $2::bigint[]) AS gone (writer, seq) WHERE c.writer = gone.writer AND c.seq <= gone.seq',
    [heads.map(({ writer }) => writer), heads.map(({ seq }) => seq)],
  );
  hashChain.say('prune', now, JSON.stringify({ removed: heads, settled } satisfies PruneEntry));
}

/** Rows of an earlier version are removed as in SQLite, by their own time; at the end their table is. */
async function pruneEarlier(hashChain: HashChain, client: PgClient, oldest: number, now: number): Promise<number> {
  const { rows: found } = await client.query<{ found: string | null }>('SELECT to_regclass($1)::text AS found', [earlierTable]);
  if (found[0]?.found === null) return 0;
  let removed = 0;
  const { rows: writers } = await client.query<{ n: number; id: string }>('SELECT n, id FROM writers ORDER BY n');
  for (const writer of writers) {
    for (;;) {
      const done = await hashChain.atomic((inside) => cutEarlier(hashChain, inside, { writer, oldest, now }));
      if (done === 0) break;
      removed += done;
    }
  }
  await hashChain.atomic(async (inside) => {
    const { rows } = await inside.query<{ left: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM ${earlierTable}) OR EXISTS (SELECT 1 FROM writers w WHERE w.closed IS NULL AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.writer = w.n AND e.day > 0)) AS left`,
    );
    if (rows[0]?.left !== false) return;
    await inside.query(`SET LOCAL lock_timeout = '5s'`);
    await inside.query(`DROP TABLE ${earlierTable}`);
  });
  return removed;
}

async function cutEarlier(
  hashChain: HashChain,
  client: PgClient,
  { writer, oldest, now }: { readonly writer: { readonly n: number; readonly id: string }; readonly oldest: number; readonly now: number },
): Promise<number> {
  const { rows } = await client.query<{ seq: number; hash: Buffer }>(
    `SELECT seq, hash FROM (SELECT seq, hash FROM ${earlierTable} WHERE writer = $1 AND seq < coalesce((SELECT min(seq) FROM entries WHERE writer = $1 AND (at >= $2 OR day > 0)), 9223372036854775807) ORDER BY seq LIMIT ${chunk}) AS old ORDER BY seq DESC LIMIT 1`,
    [writer.n, oldest],
  );
  const [last] = rows;
  if (last === undefined) return 0;
  const { rows: doomed } = await client.query<DoomedRow>(`SELECT * FROM ${earlierTable} WHERE writer = $1 AND seq <= $2`, [
    writer.n,
    last.seq,
  ]);
  const { rowCount } = await client.query(`DELETE FROM ${earlierTable} WHERE writer = $1 AND seq <= $2`, [writer.n, last.seq]);
  const head: ChainHead = { writer: writer.id, seq: last.seq, hash: last.hash.toString('hex') };
  await cut(hashChain, client, { heads: [head], sums: sumsOf(doomed, false), now });
  return rowCount ?? 0;
}

/** Like in SQLite: every run repeats it, because the rows that recorded it earlier are pruned, too. */
async function sayAgain(
  hashChain: HashChain,
  client: PgClient,
  { removed, since, now }: { readonly removed: readonly ChainHead[]; readonly since: number; readonly now: number },
): Promise<void> {
  const { rows } = await client.query<{ old: boolean }>(
    `SELECT ${['by_hour', 'by_day', 'settled'].map((table) => `EXISTS (SELECT 1 FROM ${table} WHERE at < $1)`).join(' OR ')} AS old`,
    [since],
  );
  const old = rows[0]?.old === true;
  const heads = (await headsOf(client)).filter(({ writer, seq }) => writer !== hashChain.id && hashChain.said.get(writer) !== seq);
  if (removed.length === 0 && heads.length === 0 && !old) return;
  for (const { writer, seq } of heads) hashChain.said.set(writer, seq);
  if (old) for (const table of ['by_hour', 'by_day']) await client.query(`DELETE FROM ${table} WHERE at < $1`, [since]);
  const settled = old ? await settle(client, { since }) : ((await settledHead(client)) ?? undefined);
  hashChain.say('prune', now, JSON.stringify({ removed, ...(settled === undefined ? {} : { settled }), heads } satisfies PruneEntry));
}
