import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { openDatabase, type Db } from '../ledger/database.ts';

/** Where the ledger is kept when nobody says: the user's own state folder. */
export function defaultLedger(): string {
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'sluice', 'ledger.db');
}

/** Where budgets are kept over a restart when nobody says. */
export function defaultBudgets(): string {
  return join(dirname(defaultLedger()), 'budgets.json');
}

/** Opens the ledger that a command reads, does `work` with it, and closes it. Throws SluiceError. */
export function withLedger<T>(file: string | undefined, work: (db: Db) => T, mode: 'readonly' | 'write' = 'readonly'): T {
  const db = openDatabase(file ?? process.env['SLUICE_LEDGER'] ?? defaultLedger(), mode);
  try {
    return work(db);
  } finally {
    db.close();
  }
}
