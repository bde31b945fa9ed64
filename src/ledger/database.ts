import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { SluiceError } from '../lib/errors.ts';
import { columnNames, columnTypes } from './types.ts';

export type Db = Database.Database;

/** Version of the tables, in SQLite's user_version. */
const version = 2;

const sqliteTypes = { text: 'TEXT', whole: 'INTEGER', real: 'REAL' } as const;

/** What the roll-ups group by, beside the time. */
export const rollupKeys = ['workspace', 'requested_model', 'provider', 'model', 'tier', 'reason', 'outcome', 'cache'] as const;

/** What the roll-ups add up. `*_known` and `*_unknown` count exchanges; an unknown amount is in no sum. */
export const rollupSums = [
  'n', 'retried', 'cost', 'cost_known', 'cost_unknown', 'baseline', 'baseline_known', 'savings', 'savings_known', 'savings_unknown', 'input', 'output', 'usage_unknown',
] as const;

const rollup = (name: string): string => `
CREATE TABLE ${name} (
  at INTEGER NOT NULL, ${rollupKeys.map((key) => `${key} TEXT NOT NULL`).join(', ')},
  ${rollupSums.map((sum) => `${sum} ${['cost', 'baseline', 'savings'].includes(sum) ? 'REAL' : 'INTEGER'} NOT NULL`).join(', ')},
  PRIMARY KEY (at, ${rollupKeys.join(', ')})
) WITHOUT ROWID;`;

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
CREATE TABLE pruned (writer TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE checkpoints (writer TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, at TEXT NOT NULL, signature TEXT, PRIMARY KEY (writer, seq));
${rollup('by_hour')}
${rollup('by_day')}
`;

/** What version 1 lacks. Its rows keep their hashes: columns stand in none. */
const fromFirst = `
ALTER TABLE entries ADD COLUMN "user" TEXT;
CREATE INDEX entries_user ON entries ("user") WHERE "user" IS NOT NULL;
`;

/**
 * Opens a ledger, makes its tables when it is new, and brings those of an earlier version up to date. `readonly` opens an existing one only. Throws SluiceError
 * SLUICE_LEDGER_UNUSABLE when the file cannot be opened or is no ledger of this version.
 */
export function openDatabase(file: string, mode: 'write' | 'readonly'): Db {
  let db: Db | null = null;
  try {
    if (mode === 'write') mkdirSync(dirname(file), { recursive: true });
    else if (!existsSync(file)) throw new Error('there is no such file');
    db = new Database(file, mode === 'readonly' ? { readonly: true, fileMustExist: true } : {});
    db.pragma('busy_timeout = 5000');
    if (mode === 'write') {
      // Rows are about 2.5 kB: a default page would hold one. It only counts for a new file.
      db.pragma('page_size = 16384');
      db.pragma('journal_mode = WAL');
      // A commit that was told of survives a power cut, too; commits are batches, so there are few.
      db.pragma('synchronous = FULL');
      db.transaction((created: Db) => {
        const before = created.pragma('user_version', { simple: true });
        if (before === 0) created.exec(tables);
        else if (before === 1) created.exec(fromFirst);
        else return;
        created.pragma(`user_version = ${version}`);
      }).immediate(db);
    }
    const found = db.pragma('user_version', { simple: true });
    if (found !== version) throw new Error(`its tables have version ${String(found)}, this Sluice reads version ${version}${found === 1 ? '; a server of this version brings them up to date when it opens the file' : ''}`);
    return db;
  } catch (error) {
    db?.close();
    throw new SluiceError('SLUICE_LEDGER_UNUSABLE', error instanceof Error ? error.message : String(error), { where: file, cause: error });
  }
}
