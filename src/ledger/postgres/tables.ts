import { moneySums, rollupKeys, rollupSums } from '../sqlite/database.ts';
import { columnNames, columnTypes, joinColumns } from '../types.ts';
import { connect, unusable, type PgClient } from './connect.ts';
import type { LedgerTarget } from '../target.ts';

/** Version of the tables. */
const version = 2;

/** Our advisory locks: creating tables, pruning, and one for each running writer. */
export const locks = { schema: 0x51_c1_0001, prune: 0x51_c1_0002, writers: 0x51_c1_0003 } as const;

const pgTypes = { text: 'TEXT', whole: 'BIGINT', real: 'DOUBLE PRECISION' } as const;

const rollup = (name: string): string => `
CREATE TABLE ${name} (
  at BIGINT NOT NULL, ${rollupKeys.map((key) => `${key} TEXT NOT NULL`).join(', ')},
  ${rollupSums.map((sum) => `${sum} ${moneySums.has(sum) ? 'DOUBLE PRECISION' : 'BIGINT'} NOT NULL`).join(', ')},
  PRIMARY KEY (at, ${rollupKeys.join(', ')})
);`;

const settledTables = `
CREATE TABLE settled (at BIGINT PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE settled_head (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), n BIGINT NOT NULL, root TEXT NOT NULL, since BIGINT NOT NULL);
`;

const joinIndexes = joinColumns.map((name) => `CREATE INDEX entries_${name} ON entries (${name}) WHERE ${name} IS NOT NULL;`).join('\n');

/** Migration from version 1; like in SQLite. */
const fromFirst = `${joinColumns.map((name) => `ALTER TABLE entries ADD COLUMN ${name} TEXT;`).join('\n')}
${joinIndexes}
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
UPDATE ledger_version SET version = ${version};
`;

/**
 * The same tables as in SQLite (src/ledger/sqlite/database.ts), so that a copy of one can be read as the other. Rows of a few KB stay whole
 * and uncompressed in their page, because compressing each would take most of the write time. Id prefixes are searched as ranges in byte
 * order.
 */
const tables = `
CREATE TABLE ledger_version (version INTEGER NOT NULL);
INSERT INTO ledger_version VALUES (${version});
CREATE TABLE writers (n SERIAL PRIMARY KEY, id TEXT NOT NULL UNIQUE, host TEXT NOT NULL, pid INTEGER NOT NULL, started BIGINT NOT NULL, closed BIGINT);
CREATE TABLE entries (
  writer INTEGER NOT NULL, seq BIGINT NOT NULL, kind TEXT NOT NULL, at BIGINT NOT NULL,
  ${columnNames.map((name) => `"${name}" ${pgTypes[columnTypes[name]]}${name === 'id' ? ' COLLATE "C"' : ''}`).join(', ')},
  salt BYTEA, body TEXT, content BYTEA NOT NULL, hash BYTEA NOT NULL,
  PRIMARY KEY (writer, seq)
) WITH (toast_tuple_target = 8160);
CREATE INDEX entries_at ON entries (at);
CREATE INDEX entries_id ON entries (id) WHERE id IS NOT NULL;
CREATE INDEX entries_user ON entries ("user") WHERE "user" IS NOT NULL;
CREATE TABLE pruned (writer TEXT PRIMARY KEY, seq BIGINT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE checkpoints (writer TEXT NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL, at TEXT NOT NULL, signature TEXT, PRIMARY KEY (writer, seq));
${joinIndexes}
${rollup('by_hour')}
${rollup('by_day')}
${settledTables}
`;

/** Connects, and in `write` mode creates missing tables. Throws SluiceError if they are of another version. */
export async function openPostgres(target: LedgerTarget, mode: 'write' | 'readonly'): Promise<PgClient> {
  const client = await connect(target);
  try {
    if (mode === 'write') {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock($1)', [locks.schema]);
      const { rows } = await client.query<{ found: string | null }>(`SELECT to_regclass('ledger_version')::text AS found`);
      if (rows[0]?.found === null) await client.query(tables);
      else if ((await client.query<{ version: number }>('SELECT version FROM ledger_version')).rows[0]?.version === 1)
        await client.query(fromFirst);
      await client.query('COMMIT');
    }
    const { rows } = await client.query<{ version: number }>('SELECT version FROM ledger_version');
    if (rows[0]?.version !== version)
      throw new Error(`its tables have version ${rows[0]?.version ?? 'none'}, this Sluice reads version ${version}`);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw unusable(target.place, error);
  }
}
