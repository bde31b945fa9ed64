import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/ledger/sqlite/database.ts';
import { verifyLedger, type VerifyOptions, type VerifyResult } from '../../src/ledger/verify.ts';
import { later, makeBase, type Base } from './base.ts';
import { opened, replaced, tamperings } from './cases.ts';

/** What `ledger verify` is given, from nothing to the key and a log that is kept elsewhere. */
export const helps = ['alone', 'key', 'log', 'both'] as const;
export type Help = (typeof helps)[number];

export interface Seen {
  readonly name: string;
  /** Whether verify fails, by what it is given. */
  readonly noticed: Readonly<Record<Help, boolean>>;
  /** The first fault that it names with key and log; null: it names none. */
  readonly says: string | null;
}

export interface TamperReport {
  /** Faults of the ledger that nobody touched. */
  readonly untouched: number;
  readonly seen: readonly Seen[];
}

/** Tampers with copies of one ledger, each in one way, and verifies each. */
export function tamperDrill(): TamperReport {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tamper-'));
  try {
    const base = makeBase(folder);
    const file = join(folder, 'tampered.db');
    const untouched = helps.reduce((faults, help) => faults + check(base.file, base, help).faultCount, 0);
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
    return {
      untouched,
      seen: all.map(({ name, work }) => {
        copyFileSync(base.file, file);
        work();
        const results = Object.fromEntries(helps.map((help) => [help, check(file, base, help)])) as Record<Help, VerifyResult>;
        return {
          name,
          noticed: Object.fromEntries(helps.map((help) => [help, !results[help].ok])) as Record<Help, boolean>,
          says: results.both.faults[0]?.message ?? null,
        };
      }),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function check(file: string, base: Base, help: Help): VerifyResult {
  const options: VerifyOptions = {
    publicKey: help === 'key' || help === 'both' ? base.publicKey : null,
    checkpoints: help === 'log' || help === 'both' ? base.log : [],
    now: later,
  };
  const db = openDatabase(file, 'readonly');
  try {
    return verifyLedger(db, options);
  } finally {
    db.close();
  }
}

/** The table of the docs. */
export function tamperTable({ seen }: TamperReport): string {
  return [
    '| tampering | not noticed by | with key and log, `verify` says |',
    '|---|---|---|',
    ...seen.map(({ name, noticed, says }) => `| ${name} | ${missedBy(noticed)} | ${withoutIds(says ?? '–')} |`),
  ].join('\n');
}

const helpNames: Readonly<Record<Help, string>> = { alone: 'verify alone', key: 'key', log: 'log', both: '**key and log**' };

/** What verify may be given without noticing; empty if it always notices. */
export function missedBy(noticed: Seen['noticed']): string {
  return helps
    .filter((help) => !noticed[help])
    .map((help) => helpNames[help])
    .join(', ');
}

/** Ids differ from run to run. */
function withoutIds(text: string): string {
  return text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'W');
}

/** One line: what came of it. */
export function tamperSummary({ untouched, seen }: TamperReport): string {
  const missed = (help: Help): number => seen.filter(({ noticed }) => !noticed[help]).length;
  return `${seen.length} kinds of tampering; unnoticed by \`ledger verify\` alone ${missed('alone')}, with the key ${missed('key')}, with the log ${missed('log')}, with key and log ${missed('both')}; ${untouched} faults in the ledger that nobody touched.`;
}
