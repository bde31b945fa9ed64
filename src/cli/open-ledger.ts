import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { SluiceError } from '../lib/errors.ts';
import { openDatabase, type Db } from '../ledger/database.ts';
import { fileOrOff } from './file-flag.ts';
import { openReader, type LedgerReader } from '../ledger/reader.ts';
import { LedgerWriter, type Whose } from '../ledger/store.ts';
import { isPostgres, type LedgerTarget } from '../ledger/target.ts';

/** Where the ledger is kept when nobody says: the user's own state folder. */
export function defaultLedger(): string {
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'sluice', 'ledger.db');
}

/** Where budgets are kept over a restart when nobody says. */
export function defaultBudgets(): string {
  return join(dirname(defaultLedger()), 'budgets.json');
}

/** The ledger that a command is about: what the flag says, else the environment, else where serve keeps it. Throws SluiceError where it is switched off. */
export function ledgerTarget(place: string | undefined): LedgerTarget {
  const named = fileOrOff('--ledger', place ?? process.env['SLUICE_LEDGER'] ?? defaultLedger());
  if (named === null)
    throw new SluiceError('SLUICE_LEDGER_UNUSABLE', 'the ledger is switched off.', {
      where: place === undefined ? 'SLUICE_LEDGER' : '--ledger',
      fix: "Name the ledger's file or database by --ledger.",
    });
  return { place: named, passwordFile: process.env['SLUICE_LEDGER_PASSWORD_FILE'] ?? null };
}

/** Asks the ledger that a command reads. Throws SluiceError. */
export async function withReader<T>(place: string | undefined, work: (reader: LedgerReader) => Promise<T>): Promise<T> {
  const reader = await openReader(ledgerTarget(place));
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

/** Reads rows of the ledger: of a file, or of a copy of a database's. `from`: exchanges since then (ms since the epoch) will do; null: all. Throws SluiceError. */
export async function withRows<T>(place: string | undefined, from: number | null, work: (db: Db) => T | Promise<T>): Promise<T> {
  const target = ledgerTarget(place);
  if (isPostgres(target.place)) return (await import('../ledger/postgres/copy.ts')).withCopy(target, from, work);
  const db = openDatabase(target.place, 'readonly');
  try {
    return await work(db);
  } finally {
    db.close();
  }
}

/** Erases in the ledger; a key signs the rows that say so. Throws SluiceError. */
export async function eraseIn(
  place: string | undefined,
  { whose, reason, key }: { readonly whose: Whose; readonly reason: string; readonly key: KeyObject | null },
): Promise<number> {
  const target = ledgerTarget(place);
  if (isPostgres(target.place)) {
    const writer = await (await import('../ledger/postgres/store.ts')).PostgresWriter.open(target, { version: 'erase' });
    try {
      const count = await writer.erase(whose, reason);
      await writer.close();
      if (key !== null) await writer.checkpoint(key);
      return count;
    } finally {
      await writer.end();
    }
  }
  // Opening it for writing would make a new one.
  if (!existsSync(target.place)) throw new SluiceError('SLUICE_LEDGER_UNUSABLE', 'there is no such file', { where: target.place });
  const db = openDatabase(target.place, 'write');
  try {
    const writer = new LedgerWriter(db, { version: 'erase' });
    const count = writer.erase(whose, reason);
    writer.close();
    if (key !== null) writer.checkpoint(key);
    return count;
  } finally {
    db.close();
  }
}
