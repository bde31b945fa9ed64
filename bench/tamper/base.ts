import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { openDatabase } from '../../src/ledger/sqlite/database.ts';
import { LedgerWriter } from '../../src/ledger/sqlite/store.ts';
import type { Checkpoint } from '../../src/ledger/types.ts';
import { line, sample } from '../../test/support/ledger.ts';

export const dayMs = 86_400_000;
export const start = Date.UTC(2026, 8, 1, 9, 30);
/** When the ledger is verified: nothing in it is young. */
export const later = start + 60 * dayMs;

export interface Base {
  readonly file: string;
  readonly publicKey: KeyObject;
  /** Whoever tampers has it in one case alone: where the same key signs another ledger too. */
  readonly key: KeyObject;
  /** What the server's log has of checkpoints. */
  readonly log: readonly Checkpoint[];
  /** A copy of the file from before its last writer. */
  readonly old: string;
}

const known = (usd: number) => ({ known: true, usd }) as const;

/**
 * A ledger as a server leaves it: a writer that closed, one that was killed after its last checkpoint, an erased team, rows that grew old
 * and
 * left their sums, grades, dropped records, and a last writer that closed. All checkpoints are signed.
 */
export function makeBase(folder: string): Base {
  return atTime(start, () => made(folder));
}

/** Does something at a time of the drill's: the ledger's code asks the clock, which may be anywhere. */
export function atTime<T>(at: number, work: () => T): T {
  const clock = Date.now;
  try {
    setClock(at);
    return work();
  } finally {
    Date.now = clock;
  }
}

/** Rows that tell of the ledger itself carry the time of day: it is that of the exchanges here. */
function setClock(at: number): void {
  Date.now = () => at;
}

function made(folder: string): Base {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const file = join(folder, 'base.db');
  const old = join(folder, 'old.db');
  const log: Checkpoint[] = [];
  const db = openDatabase(file, 'write');
  const first = new LedgerWriter(db, { version: 'drill' });
  for (let day = 0; day < 6; day++) fill(first, start + day * dayMs);
  log.push(first.checkpoint(key));
  first.close();
  log.push(first.checkpoint(key));
  const killed = new LedgerWriter(db, { version: 'drill' });
  fill(killed, start + 6 * dayMs);
  log.push(killed.checkpoint(key));
  // The copy that nothing in it gives away: all of its rows are signed.
  db.exec(`VACUUM INTO '${old}'`);
  fill(killed, start + 7 * dayMs);
  const last = new LedgerWriter(db, { version: 'drill' });
  last.append(exchanges(start + 8 * dayMs), 7);
  last.erase({ workspace: 'leaving' }, 'asked for');
  last.prune({ rowsMs: 6 * dayMs, rollupsMs: 400 * dayMs }, start + 9 * dayMs);
  log.push(last.checkpoint(key));
  fill(last, start + 9 * dayMs);
  last.close();
  log.push(last.checkpoint(key));
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  return { file, publicKey, key, log, old };
}

function fill(writer: LedgerWriter, at: number): void {
  setClock(at);
  writer.append(exchanges(at));
}

/** Three teams' exchanges of an hour, and a grade of one. */
export function exchanges(at: number): string[] {
  const records = ['blue', 'red', 'leaving', 'blue'].map((workspace, i) =>
    sample(at + i * 60_000, {
      workspace,
      user: `${i}`.repeat(16),
      cost: known(0.25 * (i + 1)),
      baseline: known(1 + i),
      savings: known(1 + i - 0.25 * (i + 1)),
    }),
  );
  return [
    ...records.map(line),
    JSON.stringify({
      grade: { decision: records[0]!.id, time: new Date(at).toISOString(), score: 0.25, source: 'user' },
      workspace: 'blue',
    }),
  ];
}
