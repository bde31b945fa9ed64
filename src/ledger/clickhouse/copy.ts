import { rollupKeys, rollupSums, type Db } from '../sqlite/database.ts';
import type { DoubledRow, OpenedRows } from '../backend.ts';
import { openTemporary } from '../sqlite/temporary.ts';
import { textHash } from '../sums.ts';
import type { LedgerTarget } from '../target.ts';
import type { ClickHouse } from './connect.ts';
import { foreignIn } from './foreign.ts';
import { settledHead, settledHours } from './settle.ts';
import { openClickHouse, rowNames } from './tables.ts';

/**
 * Copies a ledger in ClickHouse into a temporary SQLite file. `from` (ms since the epoch) leaves older exchanges out; the chain is only
 * complete if it is null. Rows are of one moment; what refers to them is read before, and the sums of hours that changed meanwhile are
 * named.
 */
export function openCopy(target: LedgerTarget, from: number | null): Promise<OpenedRows> {
  return openTemporary(async (db) => {
    const client = await openClickHouse(target, 'readonly');
    try {
      return await fill(db, client, from);
    } finally {
      await client.close();
    }
  });
}

async function fill(db: Db, client: ClickHouse, from: number | null): Promise<Omit<OpenedRows, 'db' | 'close'>> {
  const numbers = new Map<string, number>();
  const numberOf = (id: string): number => {
    let n = numbers.get(id);
    if (n === undefined) numbers.set(id, (n = numbers.size + 1));
    return n;
  };
  await copyWriters(db, client, numberOf, (closed) => closed);
  if (from === null) {
    for (const [table, columns] of [
      ['pruned', ['writer', 'seq', 'hash']],
      ['checkpoints', ['writer', 'seq', 'hash', 'at', 'signature']],
    ] as const)
      await copyTable(db, client, { table, columns, sql: `SELECT ${columns.join(', ')} FROM ${table} FINAL` });
    await copySettled(db, client);
  }
  const before = from === null ? await hourCounts(client) : new Map<number, number>();
  const doubled = await copyRows(db, client, { numberOf, from });
  // Those that began meanwhile; none of them has ended.
  await copyWriters(db, client, numberOf, () => null);
  if (from !== null) return { doubled };
  const columns = ['at', ...rollupKeys, ...rollupSums];
  const keys = ['at', ...rollupKeys].join(', ');
  for (const table of ['by_hour', 'by_day'])
    await copyTable(db, client, {
      table,
      columns,
      sql: `SELECT ${keys}, ${rollupSums.map((sum) => `sum(${sum})`).join(', ')} FROM ${table} GROUP BY ${keys} HAVING sum(n) <> 0`,
    });
  const moving = [...(await hourCounts(client))].filter(([at, n]) => before.get(at) !== n).map(([at]) => at);
  return { doubled, moving, foreign: await foreignIn(client) };
}

/** Exchanges of each hour according to the sums. */
async function hourCounts(client: ClickHouse): Promise<Map<number, number>> {
  return new Map(
    (await client.ask<{ at: number; exchanges: number }>('SELECT at, sum(n) AS exchanges FROM by_hour GROUP BY at')).map(
      ({ at, exchanges }) => [at, exchanges],
    ),
  );
}

async function copyWriters(
  db: Db,
  client: ClickHouse,
  numberOf: (id: string) => number,
  closedOf: (closed: number | null) => number | null,
): Promise<void> {
  const register = db.prepare('INSERT OR IGNORE INTO writers (n, id, host, pid, started, closed) VALUES (?, ?, ?, ?, ?, ?)');
  for (const { id, host, pid, started, closed } of await client.ask<WriterRow>(
    'SELECT id, host, pid, started, closed FROM writers FINAL ORDER BY started, id',
  ))
    register.run(numberOf(id), id, host, pid, started, closedOf(closed));
}

interface WriterRow {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly started: number;
  readonly closed: number | null;
}

const bytes: ReadonlySet<string> = new Set(['salt', 'content', 'hash']);

async function copyRows(
  db: Db,
  client: ClickHouse,
  { numberOf, from }: { readonly numberOf: (id: string) => number; readonly from: number | null },
): Promise<DoubledRow[]> {
  const names = rowNames.filter((name) => name !== 'day');
  const quoted = names.map((name) => `"${name}"`).join(', ');
  const insert = db.prepare(`INSERT OR IGNORE INTO entries (${quoted}) VALUES (${names.map(() => '?').join(', ')})`);
  const doubled: DoubledRow[] = [];
  for await (const rows of client.stream(`SELECT ${quoted} FROM entries ${from === null ? '' : `WHERE at >= ${Math.floor(from)}`}`))
    db.transaction(() => {
      for (const row of rows) {
        const values = row.map((value, index) =>
          index === 0
            ? numberOf(value as string)
            : value !== null && bytes.has(names[index]!)
              ? Buffer.from(value as string, 'hex')
              : value,
        );
        if (insert.run(...values).changes === 0) doubled.push({ writer: Number(values[0]), seq: Number(values[1]) });
      }
    })();
  return doubled;
}

async function copyTable(
  db: Db,
  client: ClickHouse,
  { table, columns, sql }: { readonly table: string; readonly columns: readonly string[]; readonly sql: string },
): Promise<void> {
  const insert = db.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`);
  for await (const rows of client.stream(sql))
    db.transaction(() => {
      for (const row of rows) insert.run(...row);
    })();
}

async function copySettled(db: Db, client: ClickHouse): Promise<void> {
  const head = await settledHead(client);
  if (head === null) return;
  db.prepare('INSERT INTO settled_head (only_one, n, root, since) VALUES (1, ?, ?, ?)').run(head.n, head.root, head.since);
  const insert = db.prepare('INSERT INTO settled (at, body, hash) VALUES (?, ?, ?)');
  for (const { at, body } of await settledHours(client, head.since)) insert.run(at, body, textHash(body));
}
