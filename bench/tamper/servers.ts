import type { PgClient } from '../../src/ledger/postgres/connect.ts';
import { backendOf } from '../../src/ledger/backends.ts';
import type { ClickHouse } from '../../src/ledger/clickhouse/connect.ts';
import { openClickHouse, rowNames as clickhouseRows } from '../../src/ledger/clickhouse/tables.ts';
import { ensureDay, openPostgres } from '../../src/ledger/postgres/tables.ts';
import { openDatabase, type Db } from '../../src/ledger/sqlite/database.ts';
import { verifyLedger, type VerifyOptions, type VerifyResult } from '../../src/ledger/verify.ts';
import { TestClickHouse } from '../../test/support/clickhouse.ts';
import { TestPostgres } from '../../test/support/postgres.ts';

/** A server whose ledger is made what a tampered file is, as somebody does who can write its tables. */
export interface TamperedServer {
  /** Puts the tables of a file in the place of the server's, and runs what that kind of tampering is there. */
  put(file: string, name: string): Promise<void>;
  /** Every way of verifying; the rows are read once. */
  verify(options: readonly VerifyOptions[]): Promise<VerifyResult[]>;
  close(): Promise<void>;
}

const tables = ['writers', 'pruned', 'checkpoints', 'settled', 'settled_head', 'by_hour', 'by_day'] as const;

type Values = Readonly<Record<string, unknown>>;

function rowsOf(db: Db, table: string): Values[] {
  return db.prepare<[], Values>(`SELECT * FROM ${table}`).all();
}

/** Tampering that is not in the rows, in the words of a server; the file has it in SQLite's. */
const triggerName = 'a trigger changes what is written from now on';
const viewName = 'a view stands in the place of the sums';

async function verifyCopy(place: string, options: readonly VerifyOptions[]): Promise<VerifyResult[]> {
  const opened = await backendOf(place).openRows({ place, passwordFile: null }, null);
  try {
    const { db, doubled = [], moving = [], foreign = [] } = opened;
    return options.map((each) => verifyLedger(db, { ...each, doubled, moving, foreign }));
  } finally {
    opened.close();
  }
}

/** The day of writing of all rows; a row that is there twice lies in the next day's table. */
const writtenOn = 20_700;

/** A PostgreSQL of its own. */
export async function tamperedPostgres(): Promise<TamperedServer> {
  const server = await TestPostgres.start();
  const target = { place: server.url, passwordFile: null };
  const sql: Readonly<Record<string, string>> = {
    [triggerName]: `CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.cost := 0; RETURN new; END'; CREATE TRIGGER quiet BEFORE INSERT ON sums_new FOR EACH ROW EXECUTE FUNCTION quiet()`,
    [viewName]: 'ALTER TABLE by_day RENAME TO real_days; CREATE VIEW by_day AS SELECT * FROM real_days',
  };
  return {
    async put(file, name) {
      await server.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      const client = await openPostgres(target, 'write');
      const db = openDatabase(file, 'readonly');
      try {
        for (const day of [writtenOn, writtenOn + 1]) await ensureDay(client, day);
        await client.query('BEGIN');
        const seen = new Set<string>();
        for (const row of rowsOf(db, 'entries')) {
          const key = `${String(row['writer'])} ${String(row['seq'])}`;
          await insert(client, 'entries', { ...row, day: seen.has(key) ? writtenOn + 1 : writtenOn });
          seen.add(key);
        }
        for (const table of tables) for (const row of rowsOf(db, table)) await insert(client, table, row);
        await client.query('COMMIT');
        if (sql[name] !== undefined) await client.query(sql[name]);
      } finally {
        db.close();
        await client.end();
      }
    },
    verify: (options) => verifyCopy(server.url, options),
    close: () => server.remove(),
  };
}

async function insert(client: PgClient, table: string, row: Values): Promise<void> {
  const names = Object.keys(row);
  await client.query(
    `INSERT INTO ${table} (${names.map((name) => `"${name}"`).join(', ')}) VALUES (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
    Object.values(row),
  );
}

/** A ClickHouse of its own; each tampered ledger is a database there. */
export async function tamperedClickHouse(): Promise<TamperedServer> {
  const server = await TestClickHouse.start();
  const ids = new Map<number, string>();
  let databases = 0;
  const sql: Readonly<Record<string, readonly string[]>> = {
    [triggerName]: ['DROP TABLE by_day_view'],
    [viewName]: ['RENAME TABLE by_day TO real_days', 'CREATE VIEW by_day AS SELECT * FROM real_days'],
  };
  return {
    async put(file, name) {
      await server.use(`tampered_${++databases}`);
      const client = await openClickHouse({ place: server.url, passwordFile: null }, 'write');
      const db = openDatabase(file, 'readonly');
      try {
        for (const { n, id } of rowsOf(db, 'writers')) ids.set(n as number, id as string);
        await putRows(client, db, ids);
        for (const text of sql[name] ?? []) await client.command(text);
      } finally {
        db.close();
        await client.close();
      }
    },
    verify: (options) => verifyCopy(server.url, options),
    close: () => server.remove(),
  };
}

async function putRows(client: ClickHouse, db: Db, ids: ReadonlyMap<number, string>): Promise<void> {
  const put = async (table: string, columns: readonly string[], rows: readonly (readonly unknown[])[]): Promise<void> => {
    if (rows.length > 0) await client.insert(table, columns, rows.map((row) => JSON.stringify(row)).join('\n'));
  };
  const hex = (value: unknown): unknown => (Buffer.isBuffer(value) ? value.toString('hex') : value);
  await put(
    'entries',
    clickhouseRows,
    rowsOf(db, 'entries').map((row) =>
      clickhouseRows.map((name) =>
        name === 'writer' ? (ids.get(row['writer'] as number) ?? 'nobody') : name === 'day' ? writtenOn : hex(row[name]),
      ),
    ),
  );
  // The views have added up what came: whoever tampers writes the sums as well.
  for (const table of ['by_hour', 'by_day']) await client.command(`TRUNCATE TABLE ${table}`);
  const extra: Readonly<Record<string, Values>> = {
    writers: { alive: 0, v: 1 },
    checkpoints: { v: 1 },
    settled: { source: 'drill', v: 1 },
  };
  const left = new Set(['n', 'only_one']);
  for (const table of tables) {
    const rows = rowsOf(db, table).map((row) => ({ ...row, ...extra[table] }));
    const names = Object.keys(rows[0] ?? {}).filter(
      (name) => !(table === 'writers' && left.has(name)) && !(table === 'settled' && name === 'hash'),
    );
    await put(
      table,
      names,
      rows.map((row) => names.map((name) => (row as Values)[name])),
    );
  }
}
