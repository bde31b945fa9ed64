import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { SluiceError } from '../../lib/errors.ts';
import { columnNames, columnTypes, joinColumns } from '../types.ts';
import { messageOf } from '../../lib/message-of.ts';

export type Db = Database.Database;

/** Version of the tables, in SQLite's user_version. */
const version = 3;

const sqliteTypes = { text: 'TEXT', whole: 'INTEGER', real: 'REAL' } as const;

/** Grouping keys of the roll-ups, besides the time. */
export const rollupKeys = ['workspace', 'requested_model', 'provider', 'model', 'tier', 'reason', 'outcome', 'cache'] as const;

/**
 * The sums of the roll-ups. `*_known` and `*_unknown` count exchanges; an unknown amount is in no sum. `compared_cost` is the cost of the
 * exchanges whose savings are known: `compared_cost + savings` is what they would have cost.
 */
export const rollupSums = [
  'n',
  'retried',
  'cost',
  'cost_known',
  'cost_unknown',
  'baseline',
  'baseline_known',
  'savings',
  'savings_known',
  'savings_unknown',
  'input',
  'output',
  'usage_unknown',
  'compared_cost',
] as const;

export type RollupSum = (typeof rollupSums)[number];

/** Sums of US dollars; the others are whole numbers. */
export const moneySums: ReadonlySet<RollupSum> = new Set<RollupSum>(['cost', 'baseline', 'savings', 'compared_cost']);

const rollup = (name: string): string => `
CREATE TABLE ${name} (
  at INTEGER NOT NULL, ${rollupKeys.map((key) => `${key} TEXT NOT NULL`).join(', ')},
  ${rollupSums.map((sum) => `${sum} ${moneySums.has(sum) ? 'REAL' : 'INTEGER'} NOT NULL`).join(', ')},
  PRIMARY KEY (at, ${rollupKeys.join(', ')})
) WITHOUT ROWID;`;

/**
 * Sums of exchanges whose rows were removed, one row per hour, and their head: the chain contains `root`, so that they can be verified
 * without the rows (sums.ts).
 */
const settledTables = `
CREATE TABLE settled (at INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE settled_head (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), n INTEGER NOT NULL, root TEXT NOT NULL, since INTEGER NOT NULL);
`;

const joinIndexes = joinColumns.map((name) => `CREATE INDEX entries_${name} ON entries (${name}) WHERE ${name} IS NOT NULL;`).join('\n');

const tables = `
CREATE TABLE writers (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, host TEXT NOT NULL, pid INTEGER NOT NULL, started INTEGER NOT NULL, closed INTEGER);
CREATE TABLE entries (
  writer INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
  ${columnNames.map((name) => `"${name}" ${sqliteTypes[columnTypes[name]]}`).join(', ')},
  salt BLOB, body TEXT, content BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (writer, seq)
);
CREATE INDEX entries_at ON entries (at);
CREATE INDEX entries_id ON entries (id) WHERE id IS NOT NULL;
CREATE INDEX entries_user ON entries ("user") WHERE "user" IS NOT NULL;
${joinIndexes}
CREATE TABLE pruned (writer TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE checkpoints (writer TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, at TEXT NOT NULL, signature TEXT, PRIMARY KEY (writer, seq));
${rollup('by_hour')}
${rollup('by_day')}
${settledTables}
`;

/** Migration from version 1. Rows keep their hashes, which do not cover columns. */
const fromFirst = `
ALTER TABLE entries ADD COLUMN "user" TEXT;
CREATE INDEX entries_user ON entries ("user") WHERE "user" IS NOT NULL;
`;

/** Migration from version 2. Rows show where a baseline was known and the cost was not, as long as they exist. */
const fromSecond = `${joinColumns.map((name) => `ALTER TABLE entries ADD COLUMN ${name} TEXT;`).join('\n')}
${joinIndexes}
${['by_hour', 'by_day']
  .map(
    (table) => `
ALTER TABLE ${table} ADD COLUMN compared_cost REAL NOT NULL DEFAULT 0;
UPDATE ${table} SET compared_cost = baseline - savings - coalesce((SELECT sum(e.baseline) FROM entries e WHERE e.kind = 'exchange' AND e.savings IS NULL AND e.baseline IS NOT NULL
  AND e.at >= ${table}.at AND e.at < ${table}.at + ${table === 'by_hour' ? 3_600_000 : 86_400_000} AND ${rollupKeys.map((key) => `coalesce(e.${key}, 'none') = ${table}.${key}`).join(' AND ')}), 0)
  WHERE savings_known > 0;
`,
  )
  .join('')}
${settledTables}`;

/**
 * Opens a ledger, creates its tables if it is new, and migrates those of an earlier version. `readonly` only opens an existing one. Throws
 * SluiceError SLUICE_LEDGER_UNUSABLE if the file cannot be opened or is not a ledger of this version.
 */
export function openDatabase(file: string, mode: 'write' | 'readonly'): Db {
  let db: Db | null = null;
  try {
    if (mode === 'write') mkdirSync(dirname(file), { recursive: true });
    else if (!existsSync(file)) throw new Error('there is no such file');
    db = new Database(file, mode === 'readonly' ? { readonly: true, fileMustExist: true } : {});
    db.pragma('busy_timeout = 5000');
    if (mode === 'write') {
      // Rows are about 2.5 kB, so a default page would hold one. Only affects new files.
      db.pragma('page_size = 16384');
      db.pragma('journal_mode = WAL');
      // A confirmed commit survives a power cut; commits are batches, so there are few.
      db.pragma('synchronous = FULL');
      // In KiB: rows are appended, and the default of better-sqlite3 is 16 MB.
      db.pragma('cache_size = -4096');
      db.transaction((created: Db) => {
        const before = created.pragma('user_version', { simple: true });
        if (before === 0) created.exec(tables);
        else if (before === 1) created.exec(fromFirst + fromSecond);
        else if (before === 2) created.exec(fromSecond);
        else return;
        created.pragma(`user_version = ${version}`);
      }).immediate(db);
    }
    const found = db.pragma('user_version', { simple: true });
    if (found !== version)
      throw new Error(
        `its tables have version ${String(found)}, this Sluice reads version ${version}${found === 1 || found === 2 ? '; a server of this version brings them up to date when it opens the file' : ''}`,
      );
    return db;
  } catch (error) {
    db?.close();
    throw new SluiceError('SLUICE_LEDGER_UNUSABLE', messageOf(error), { where: file, cause: error });
  }
}
