import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase, rollupKeys, rollupSums, type Db } from '../sqlite/database.ts';
import type { OpenedRows } from '../backend.ts';
import type { LedgerTarget } from '../target.ts';
import { columnNames } from '../types.ts';
import type { PgClient } from './connect.ts';
import { openPostgres } from './tables.ts';

/** Rows per fetch. */
const fetched = 2_000;

/**
 * Copies a PostgreSQL ledger into a temporary SQLite file, as of one moment, so that verification, exports and replays work on both kinds.
 * `from` (ms since the epoch) leaves older exchanges out; the chain is only complete if it is null. Closing deletes the file.
 */
export async function openCopy(target: LedgerTarget, from: number | null): Promise<OpenedRows> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ledger-'));
  const db = openDatabase(join(folder, 'ledger.db'), 'write');
  const close = (): void => {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await fill(db, target, from);
    return { db, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function fill(db: Db, target: LedgerTarget, from: number | null): Promise<void> {
  const client = await openPostgres(target, 'readonly');
  try {
    // A temporary copy need not survive a power cut.
    db.pragma('synchronous = OFF');
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await copyTable(client, db, 'writers', ['n', 'id', 'host', 'pid', 'started', 'closed']);
    await copyTable(
      client,
      db,
      'entries',
      ['writer', 'seq', 'kind', 'at', ...columnNames, 'salt', 'body', 'content', 'hash'],
      from === null ? '' : `WHERE at >= ${Math.floor(from)}`,
    );
    if (from === null) {
      await copyTable(client, db, 'pruned', ['writer', 'seq', 'hash']);
      await copyTable(client, db, 'checkpoints', ['writer', 'seq', 'hash', 'at', 'signature']);
      await copyTable(client, db, 'settled', ['at', 'body', 'hash']);
      await copyTable(client, db, 'settled_head', ['only_one', 'n', 'root', 'since']);
      for (const table of ['by_hour', 'by_day']) await copyTable(client, db, table, ['at', ...rollupKeys, ...rollupSums]);
    }
    await client.query('COMMIT');
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function copyTable(client: PgClient, db: Db, table: string, columns: readonly string[], where = ''): Promise<void> {
  const names = columns.map((name) => `"${name}"`).join(', ');
  const insert = db.prepare(`INSERT INTO ${table} (${names}) VALUES (${columns.map(() => '?').join(', ')})`);
  await client.query(`DECLARE rows_of_${table} NO SCROLL CURSOR FOR SELECT ${names} FROM ${table} ${where}`);
  for (;;) {
    const { rows } = await client.query<unknown[]>({ text: `FETCH ${fetched} FROM rows_of_${table}`, rowMode: 'array' });
    if (rows.length === 0) break;
    db.transaction(() => {
      for (const row of rows) insert.run(...row);
    })();
  }
  await client.query(`CLOSE rows_of_${table}`);
}
