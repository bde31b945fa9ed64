import { rollupKeys, rollupSums, type Db } from '../sqlite/database.ts';
import { openTemporary } from '../sqlite/temporary.ts';
import type { OpenedRows } from '../backend.ts';
import type { LedgerTarget } from '../target.ts';
import { columnNames } from '../types.ts';
import type { PgClient } from './connect.ts';
import { foreignIn } from './foreign.ts';
import { openPostgres } from './tables.ts';

/** Rows per fetch. */
const fetched = 2_000;

/**
 * Copies a PostgreSQL ledger into a temporary SQLite file, as of one moment. `from` (ms since the epoch) leaves older exchanges out; the
 * chain is only complete if it is null.
 */
export function openCopy(target: LedgerTarget, from: number | null): Promise<OpenedRows> {
  return openTemporary((db) => fill(db, target, from));
}

async function fill(db: Db, target: LedgerTarget, from: number | null): Promise<Omit<OpenedRows, 'db' | 'close'>> {
  const client = await openPostgres(target, 'readonly');
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await copyTable(client, db, { table: 'writers', columns: ['n', 'id', 'host', 'pid', 'started', 'closed'] });
    const twice: unknown[][] = [];
    const names = ['writer', 'seq', 'kind', 'at', ...columnNames, 'salt', 'body', 'content', 'hash'];
    const where = from === null ? '' : ` WHERE at >= ${Math.floor(from)}`;
    await copyTable(client, db, { table: 'entries', columns: names, from: `entries${where}` }, (row) => twice.push(row));
    if (from === null) {
      await copyTable(client, db, { table: 'pruned', columns: ['writer', 'seq', 'hash'] });
      await copyTable(client, db, { table: 'checkpoints', columns: ['writer', 'seq', 'hash', 'at', 'signature'] });
      await copyTable(client, db, { table: 'settled', columns: ['at', 'body', 'hash'] });
      await copyTable(client, db, { table: 'settled_head', columns: ['only_one', 'n', 'root', 'since'] });
      for (const [table, view] of [
        ['by_hour', 'hourly'],
        ['by_day', 'daily'],
      ] as const)
        await copyTable(client, db, { table, columns: ['at', ...rollupKeys, ...rollupSums], from: summed(view) });
    }
    const foreign = from === null ? await foreignIn(client) : [];
    await client.query('COMMIT');
    return { foreign, doubled: twice.map(([writer, seq]) => ({ writer: Number(writer), seq: Number(seq) })) };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** New sums of the same keys lie beside the old ones until they are added. */
function summed(view: string): string {
  const keys = ['at', ...rollupKeys].join(', ');
  return `(SELECT ${keys}, ${rollupSums.map((sum) => `sum(${sum}) AS ${sum}`).join(', ')} FROM ${view} GROUP BY ${keys}) AS sums`;
}

async function copyTable(
  client: PgClient,
  db: Db,
  { table, columns, from = table }: { readonly table: string; readonly columns: readonly string[]; readonly from?: string },
  onDoubled: (row: unknown[]) => void = () => undefined,
): Promise<void> {
  const names = columns.map((name) => `"${name}"`).join(', ');
  const insert = db.prepare(`INSERT OR IGNORE INTO ${table} (${names}) VALUES (${columns.map(() => '?').join(', ')})`);
  await client.query(`DECLARE rows_of_${table} NO SCROLL CURSOR FOR SELECT ${names} FROM ${from}`);
  for (;;) {
    const { rows } = await client.query<unknown[]>({ text: `FETCH ${fetched} FROM rows_of_${table}`, rowMode: 'array' });
    if (rows.length === 0) break;
    db.transaction(() => {
      for (const row of rows) if (insert.run(...row).changes === 0) onDoubled(row);
    })();
  }
  await client.query(`CLOSE rows_of_${table}`);
}
