import { existsSync, rmSync, statSync } from 'node:fs';
import { SluiceError } from '../../lib/errors.ts';
import type { LedgerBackend } from '../backend.ts';
import type { RestingChain } from '../types.ts';
import { findDecisions, findGrades, findRecord, savingsReport } from '../query.ts';
import { openDatabase, type Db } from './database.ts';
import { LedgerWriter } from './store.ts';

/** A ledger in one file on this machine. */
export const sqlite: LedgerBackend = {
  name: 'SQLite',
  shared: false,
  owns: () => true,
  shown: (place) => place,
  isThere: (place) => existsSync(place),
  isAway: () => false,

  openReader({ place }) {
    return opened(() => {
      const db = openDatabase(place, 'readonly');
      return {
        decisions: (query) => opened(() => findDecisions(db, query)),
        record: (id) => opened(() => findRecord(db, id)),
        grades: (id) => opened(() => findGrades(db, id)),
        savings: (query) => opened(() => savingsReport(db, query)),
        close: () => opened(() => void db.close()),
      };
    });
  },

  openWriter({ place }, { version, existing = false, resume = null }) {
    return opened(() => {
      if (existing && !existsSync(place)) throw new SluiceError('SLUICE_LEDGER_UNUSABLE', 'there is no such file', { where: place });
      const db = openDatabase(place, 'write');
      const writer = new LedgerWriter(db, { version, resume: resume !== null && holdsChain(db, resume) ? resume : null });
      const file = identityOf(place);
      const end = (): void => {
        try {
          // Closing does not do this for a file that was moved, which would lose its last rows.
          db.pragma('wal_checkpoint(TRUNCATE)');
        } finally {
          db.close();
        }
        // A new file must not use the log and the index of the old one, which are found by name.
        if (identityOf(place) === '') for (const rest of ['-wal', '-shm']) rmSync(`${place}${rest}`, { force: true });
      };
      return { writer, rest: () => writer.rest(), gone: () => identityOf(place) !== file, end };
    });
  },

  openRows({ place }) {
    return opened(() => {
      const db = openDatabase(place, 'readonly');
      return { db, close: () => void db.close() };
    });
  },
};

/** SQLite is synchronous; errors become rejections, as with other backends. */
async function opened<T>(work: () => T): Promise<T> {
  return Promise.resolve(work());
}

/** Whether the chain still ends in this file where it was left. A file that took the place of another may have its inode. */
function holdsChain(db: Db, { id, n, seq, hash }: RestingChain): boolean {
  const last = db
    .prepare<[number, string], { seq: number; hash: Buffer }>(
      'SELECT e.seq, e.hash FROM writers w JOIN entries e ON e.writer = w.n WHERE w.n = ? AND w.id = ? ORDER BY e.seq DESC LIMIT 1',
    )
    .get(n, id);
  return last?.seq === seq && last.hash.equals(hash);
}

/** Device and inode of a file; empty if there is none. */
function identityOf(file: string): string {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return '';
  }
}
