import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenedRows } from '../backend.ts';
import { openDatabase, type Db } from './database.ts';

/**
 * A ledger in a temporary SQLite file, filled from another kind of database, so that verification, exports and replays work on all kinds.
 * `fill` returns what `verify` has to know besides. Closing deletes the file.
 */
export async function openTemporary(fill: (db: Db) => Promise<Omit<OpenedRows, 'db' | 'close'>>): Promise<OpenedRows> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ledger-'));
  const db = openDatabase(join(folder, 'ledger.db'), 'write');
  const close = (): void => {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    // A temporary copy need not survive a power cut.
    db.pragma('synchronous = OFF');
    return { ...(await fill(db)), db, close };
  } catch (error) {
    close();
    throw error;
  }
}
