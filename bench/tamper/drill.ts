import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/ledger/sqlite/database.ts';
import { verifyLedger, type VerifyOptions, type VerifyResult } from '../../src/ledger/verify.ts';
import { atTime, later, makeBase, type Base } from './base.ts';
import { opened, replaced, tamperings } from './cases.ts';
import type { TamperedServer } from './servers.ts';
import { messageOf } from '../../src/lib/message-of.ts';

/** What `ledger verify` is given, from nothing to the key and a log that is kept elsewhere. */
export const helps = ['alone', 'key', 'log', 'both'] as const;
export type Help = (typeof helps)[number];

export interface Seen {
  readonly name: string;
  /** Whether verify fails, by what it is given. */
  readonly noticed: Readonly<Record<Help, boolean>>;
  /** The first fault that it names with key and log; null: it names none. */
  readonly says: string | null;
  /** Why the database takes no such change; null if it does. */
  readonly refused: string | null;
}

export interface TamperReport {
  /** Faults of the ledger that nobody touched. */
  readonly untouched: number;
  readonly seen: readonly Seen[];
}

/** Tampers with copies of one ledger, each in one way, and verifies each: as files, or as the tables of a server. `only`: these ways. */
export async function tamperDrill({
  server = null,
  only = null,
}: { readonly server?: TamperedServer | null; readonly only?: readonly string[] | null } = {}): Promise<TamperReport> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tamper-'));
  try {
    const base = makeBase(folder);
    const file = join(folder, 'tampered.db');
    const verified = async (path: string, name: string): Promise<Readonly<Record<Help, VerifyResult>>> => {
      const options = helps.map((help) => optionsOf(base, help));
      if (server !== null) await server.put(path, name);
      const results = server === null ? options.map((each) => verifyFile(path, each)) : await server.verify(options);
      return Object.fromEntries(helps.map((help, at) => [help, results[at]!])) as Record<Help, VerifyResult>;
    };
    const untouched = Object.values(await verified(base.file, '')).reduce((faults, { faultCount }) => faults + faultCount, 0);
    const all = [
      ...tamperings.map(({ name, work }) => ({
        name,
        work: () => {
          const db = opened(file);
          work(db, base);
          db.close();
        },
      })),
      ...replaced.map(({ name, work }) => ({ name, work: () => work(file, base) })),
    ];
    const seen: Seen[] = [];
    for (const { name, work } of all.filter((each) => only?.includes(each.name) ?? true)) {
      copyFileSync(base.file, file);
      atTime(later, work);
      seen.push(
        await verified(file, name).then(
          (results) => ({
            name,
            noticed: Object.fromEntries(helps.map((help) => [help, !results[help].ok])) as Record<Help, boolean>,
            says: results.both.faults[0]?.message ?? null,
            refused: null,
          }),
          (error: unknown) => ({ name, noticed: { alone: true, key: true, log: true, both: true }, says: null, refused: messageOf(error) }),
        ),
      );
    }
    return { untouched, seen };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function optionsOf(base: Base, help: Help): VerifyOptions {
  return {
    publicKey: help === 'key' || help === 'both' ? base.publicKey : null,
    checkpoints: help === 'log' || help === 'both' ? base.log : [],
    now: later,
  };
}

function verifyFile(file: string, options: VerifyOptions): VerifyResult {
  const db = openDatabase(file, 'readonly');
  try {
    return verifyLedger(db, options);
  } finally {
    db.close();
  }
}

/** The table of the docs: what is not always noticed. */
export function tamperTable({ seen }: TamperReport): string {
  const missed = seen.filter(({ noticed }) => missedBy(noticed) !== '');
  return ['| tampering | not noticed by |', '|---|---|', ...missed.map(({ name, noticed }) => `| ${name} | ${missedBy(noticed)} |`)].join(
    '\n',
  );
}

const helpNames: Readonly<Record<Help, string>> = { alone: 'verify alone', key: 'key', log: 'log', both: '**key and log**' };

/** What verify may be given without noticing; empty if it always notices. */
export function missedBy(noticed: Seen['noticed']): string {
  return helps
    .filter((help) => !noticed[help])
    .map((help) => helpNames[help])
    .join(', ');
}

/** One line: what came of it. */
export function tamperSummary({ untouched, seen }: TamperReport): string {
  const missed = (help: Help): number => seen.filter(({ noticed }) => !noticed[help]).length;
  const possible = seen.filter(({ refused }) => refused === null).length;
  const of = possible === seen.length ? `${possible}` : `${possible} of ${seen.length}`;
  return `${of} kinds of tampering; unnoticed by \`ledger verify\` alone ${missed('alone')}, with the key ${missed('key')}, with the log ${missed('log')}, with key and log ${missed('both')}; ${untouched} faults in the ledger that nobody touched.`;
}
