import { dayMs } from '../rollup.ts';
import { moneySums, rollupKeys, rollupSums } from '../sqlite/database.ts';
import { columnNames, columnTypes, joinColumns } from '../types.ts';
import { unusable } from '../unusable.ts';
import { connect, type PgClient } from './connect.ts';
import type { LedgerTarget } from '../target.ts';

/** Version of the tables. */
const version = 3;

/** Our advisory locks: creating tables, pruning and erasing, folding sums, and one for each running writer. */
export const locks = { schema: 0x51_c1_0001, prune: 0x51_c1_0002, writers: 0x51_c1_0003, fold: 0x51_c1_0004 } as const;

const pgTypes = { text: 'TEXT', whole: 'BIGINT', real: 'DOUBLE PRECISION' } as const;

/** The columns of a row, in the order of COPY. `day`: when it was written, in days since the epoch; 0 in rows older than this column. */
export const rowNames = ['writer', 'seq', 'kind', 'at', 'day', ...columnNames, 'salt', 'body', 'content', 'hash'] as const;

const sumColumns = `at BIGINT NOT NULL, ${rollupKeys.map((key) => `${key} TEXT NOT NULL`).join(', ')},
  ${rollupSums.map((sum) => `${sum} ${moneySums.has(sum) ? 'DOUBLE PRECISION' : 'BIGINT'} NOT NULL`).join(', ')}`;

const rollup = (name: string): string => `
CREATE TABLE ${name} (
  ${sumColumns},
  PRIMARY KEY (at, ${rollupKeys.join(', ')})
);`;

const settledTables = `
CREATE TABLE settled (at BIGINT PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE settled_head (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), n BIGINT NOT NULL, root TEXT NOT NULL, since BIGINT NOT NULL);
`;

/** Migration from version 1; like in SQLite. */
const fromFirst = `${joinColumns.map((name) => `ALTER TABLE entries ADD COLUMN ${name} TEXT;`).join('\n')}
${joinColumns.map((name) => `CREATE INDEX entries_${name} ON entries (${name}) WHERE ${name} IS NOT NULL;`).join('\n')}
${['by_hour', 'by_day']
  .map(
    (table) => `
ALTER TABLE ${table} ADD COLUMN compared_cost DOUBLE PRECISION NOT NULL DEFAULT 0;
UPDATE ${table} SET compared_cost = baseline - savings - coalesce((SELECT sum(e.baseline) FROM entries e WHERE e.kind = 'exchange' AND e.savings IS NULL AND e.baseline IS NOT NULL
  AND e.at >= ${table}.at AND e.at < ${table}.at + ${table === 'by_hour' ? 3_600_000 : 86_400_000} AND ${rollupKeys.map((key) => `coalesce(e.${key}, 'none') = ${table}.${key}`).join(' AND ')}), 0)
  WHERE savings_known > 0;
`,
  )
  .join('')}
${settledTables}
`;

const sumNames = `${rollupKeys.join(', ')}, ${rollupSums.join(', ')}`;

/**
 * Writers append what a batch adds to the sums here, so that none waits for another; `fold.ts` adds it to the sums by hour and day. The
 * views are both together: always exact.
 */
const newSums = `
CREATE TABLE sums_new (${sumColumns});
CREATE VIEW hourly AS SELECT at, ${sumNames} FROM by_hour UNION ALL SELECT at, ${sumNames} FROM sums_new;
CREATE VIEW daily AS SELECT at, ${sumNames} FROM by_day UNION ALL SELECT at - at % ${dayMs}, ${sumNames} FROM sums_new;
`;

/**
 * Each day of writing has a table of its own. A chain's rows of an earlier day come before those of a later one, so that dropping the oldest
 * tables cuts every chain at its old end. Id prefixes are searched as ranges in byte order.
 */
const entries = `
CREATE TABLE entries (
  writer INTEGER NOT NULL, seq BIGINT NOT NULL, kind TEXT NOT NULL, at BIGINT NOT NULL,
  ${columnNames.map((name) => `"${name}" ${pgTypes[columnTypes[name]]}${name === 'id' ? ' COLLATE "C"' : ''}`).join(', ')},
  salt BYTEA, body TEXT, content BYTEA NOT NULL, hash BYTEA NOT NULL,
  day INTEGER NOT NULL DEFAULT 0
) PARTITION BY RANGE (day);
`;

/** The table of the rows that were written before there was one a day. */
export const earlierTable = 'entries_before';

/**
 * Migration from version 2: the rows stay where they are, and their table becomes the first part. Writers of that version may go on until
 * they connect again: what they write has day 0.
 */
const fromSecond = `
ALTER TABLE entries ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries RENAME TO ${earlierTable};
${entries}
ALTER TABLE entries ATTACH PARTITION ${earlierTable} FOR VALUES FROM (MINVALUE) TO (1);
${newSums}
UPDATE ledger_version SET version = ${version};
`;

/** The same tables as in SQLite (src/ledger/sqlite/database.ts), so that a copy of one can be read as the other. */
const tables = `
CREATE TABLE ledger_version (version INTEGER NOT NULL);
INSERT INTO ledger_version VALUES (${version});
CREATE TABLE writers (n SERIAL PRIMARY KEY, id TEXT NOT NULL UNIQUE, host TEXT NOT NULL, pid INTEGER NOT NULL, started BIGINT NOT NULL, closed BIGINT);
${entries}
CREATE TABLE pruned (writer TEXT PRIMARY KEY, seq BIGINT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE checkpoints (writer TEXT NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL, at TEXT NOT NULL, signature TEXT, PRIMARY KEY (writer, seq));
${rollup('by_hour')}
${rollup('by_day')}
${settledTables}
${newSums}
`;

/** The table of the rows written on a day; `day` in days since the epoch. */
export function dayTable(day: number): string {
  return `entries_${new Date(day * dayMs).toISOString().slice(0, 10).replaceAll('-', '_')}`;
}

/**
 * Rows of a few KB stay whole and uncompressed in their page, because compressing each would take most of the write time. Indexes belong to
 * the day's table: dropping it drops them.
 */
const dayTableSql = (table: string, day: number): string => `
CREATE TABLE ${table} (LIKE entries INCLUDING DEFAULTS, PRIMARY KEY (writer, seq)) WITH (toast_tuple_target = 8160);
CREATE INDEX ON ${table} (at);
CREATE INDEX ON ${table} (id) WHERE id IS NOT NULL;
CREATE INDEX ON ${table} ("user") WHERE "user" IS NOT NULL;
${joinColumns.map((name) => `CREATE INDEX ON ${table} (${name}) WHERE ${name} IS NOT NULL;`).join('\n')}
ALTER TABLE entries ATTACH PARTITION ${table} FOR VALUES FROM (${day}) TO (${day + 1});
`;

/** Creates a day's table unless it is there. Readers and writers of the other days do not wait. */
export async function ensureDay(client: PgClient, day: number): Promise<void> {
  const table = dayTable(day);
  // Not by `to_regclass`, which may remember until the end of a transaction that there was none.
  const there = async (): Promise<boolean> =>
    (await client.query('SELECT 1 FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid)', [table])).rows.length > 0;
  if (await there()) return;
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock($1)', [locks.schema]);
  if (!(await there())) await client.query(dayTableSql(table, day));
  await client.query('COMMIT');
}

/** The tables of days, oldest first. */
export async function dayTables(client: PgClient): Promise<{ readonly day: number; readonly table: string }[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass('entries')`,
  );
  return rows
    .map(({ name }) => /^entries_(\d{4})_(\d{2})_(\d{2})$/.exec(name))
    .filter((found) => found !== null)
    .map(([table, year, month, date]) => ({ table, day: Date.UTC(Number(year), Number(month) - 1, Number(date)) / dayMs }))
    .sort((a, b) => a.day - b.day);
}

/** Connects, and in `write` mode creates missing tables. Throws SluiceError if they are of another version. */
export async function openPostgres(target: LedgerTarget, mode: 'write' | 'readonly'): Promise<PgClient> {
  const client = await connect(target);
  try {
    if (mode === 'write') await bringUpToDate(client);
    const { rows } = await client.query<{ version: number }>('SELECT version FROM ledger_version');
    if (rows[0]?.version !== version)
      throw new Error(`its tables have version ${rows[0]?.version ?? 'none'}, this Sluice reads version ${version}`);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw unusable(target.place, error);
  }
}

async function bringUpToDate(client: PgClient): Promise<void> {
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock($1)', [locks.schema]);
  const { rows } = await client.query<{ found: string | null }>(`SELECT to_regclass('ledger_version')::text AS found`);
  if (rows[0]?.found === null) {
    await client.query(tables);
  } else {
    const found = (await client.query<{ version: number }>('SELECT version FROM ledger_version')).rows[0]?.version;
    // Every row is read once.
    if (found === 1 || found === 2) await client.query(`SET LOCAL statement_timeout = 0; ${found === 1 ? fromFirst : ''}${fromSecond}`);
  }
  await client.query('COMMIT');
}
