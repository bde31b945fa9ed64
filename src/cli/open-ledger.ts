import type { KeyObject } from 'node:crypto';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { SluiceError } from '../lib/errors.ts';
import type { LedgerReader, OpenedRows } from '../ledger/backend.ts';
import { backendOf } from '../ledger/backends.ts';
import type { Db } from '../ledger/sqlite/database.ts';
import { fileOrOff } from './file-flag.ts';
import type { Whose } from '../ledger/sqlite/store.ts';
import type { LedgerTarget } from '../ledger/target.ts';

/** Default path of the ledger: in the user's state folder. */
export function defaultLedger(): string {
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'sluice', 'ledger.db');
}

/** Default path where budgets are kept across restarts. */
export function defaultBudgets(): string {
  return join(dirname(defaultLedger()), 'budgets.json');
}

/** The ledger of a command: from the flag, else the environment, else the default of serve. Throws SluiceError if it is switched off. */
export function ledgerTarget(place: string | undefined): LedgerTarget {
  const named = fileOrOff('--ledger', place ?? process.env['SLUICE_LEDGER'] ?? defaultLedger());
  if (named === null)
    throw new SluiceError('SLUICE_LEDGER_UNUSABLE', 'the ledger is switched off.', {
      where: place === undefined ? 'SLUICE_LEDGER' : '--ledger',
      fix: "Name the ledger's file or database by --ledger.",
    });
  return { place: named, passwordFile: process.env['SLUICE_LEDGER_PASSWORD_FILE'] ?? null };
}

/** Queries the ledger that a command reads. Throws SluiceError. */
export async function withReader<T>(place: string | undefined, work: (reader: LedgerReader) => Promise<T>): Promise<T> {
  const target = ledgerTarget(place);
  const reader = await backendOf(target.place).openReader(target);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

/**
 * Reads rows of the ledger: from a file, or from a copy of a database's. `from`: only exchanges since then are needed (ms since the epoch);
 * null for all. Throws SluiceError.
 */
export async function withRows<T>(
  place: string | undefined,
  from: number | null,
  work: (db: Db, opened: OpenedRows) => T | Promise<T>,
): Promise<T> {
  const target = ledgerTarget(place);
  const opened = await backendOf(target.place).openRows(target, from);
  try {
    return await work(opened.db, opened);
  } finally {
    opened.close();
  }
}

/** Erases in the ledger; a key signs the rows that record the erasure. Throws SluiceError. */
export async function eraseIn(
  place: string | undefined,
  { whose, reason, key }: { readonly whose: Whose; readonly reason: string; readonly key: KeyObject | null },
): Promise<number> {
  const target = ledgerTarget(place);
  const { writer, end } = await backendOf(target.place).openWriter(target, { version: 'erase', existing: true });
  try {
    const count = await writer.erase(whose, reason);
    await writer.close();
    if (key !== null) await writer.checkpoint(key);
    return count;
  } finally {
    await end();
  }
}
