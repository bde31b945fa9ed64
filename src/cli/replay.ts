import { counted } from '../lib/counted.ts';
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { loadCatalog } from '../catalog/index.ts';
import { SluiceError } from '../lib/errors.ts';
import { parseWindow } from '../ledger/query.ts';
import { Replay, type ReplayReport } from '../replay/replay.ts';
import { recordsIn, recordsOf } from '../replay/sources.ts';
import { replayText } from '../replay/text.ts';
import { backendOf } from '../ledger/backends.ts';
import { shared, whereOption } from './flags/shared.ts';
import { ledgerTarget, withRows } from './open-ledger.ts';
import { Progress } from './progress.ts';
import { fileOf } from './stdin.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { readPolicy } from './read-policy.ts';

interface ReplayFlags {
  readonly policy: string;
  readonly against?: string;
  readonly from: string;
  readonly ledger?: string;
  readonly window?: string;
  readonly where: readonly string[];
  readonly limit: string;
  readonly catalog?: string;
  readonly json?: boolean;
  readonly maxCostIncrease?: string;
  readonly maxMoved?: string;
  readonly maxRefused?: string;
  readonly maxUnable?: string;
  readonly minReplayed?: string;
}

/**
 * `sluice replay`: applies a policy to recorded traffic and prints a report. With limits it is a CI check that exits with 1 if one is
 * exceeded.
 */
export function registerReplay(program: Command): void {
  program
    .command('replay')
    .description(
      'what a policy would have done with recorded requests: moved ones, cost with its confidence interval, needs that are not met',
    )
    .requiredOption('--policy <path>', 'the policy to ask about: a file, or a folder; - for stdin', fileOf)
    .option('--against <path>', 'hold it against this policy; - for stdin (default: against what was recorded)', fileOf)
    .option(
      '--from <source>',
      "ledger, postgres://…, or a file: a ledger, a server's log, an export as JSON lines; - for stdin",
      fileOf,
      'ledger',
    )
    .option(...shared.ledger)
    .option(...shared.window)
    .addOption(whereOption('of a ledger: e.g. workspace=team-a'))
    .option('--limit <n>', 'at most this many records, the newest of a ledger', '1000000')
    .option(...shared.catalog)
    .option(...shared.json)
    .option('--max-cost-increase <percent>', 'fail when the cost may rise by more: the upper end of its interval counts')
    .option('--max-moved <percent>', 'fail when more of the requests would go elsewhere')
    .option('--max-refused <n>', 'fail when more requests that were answered would be refused')
    .option('--max-unable <n>', 'fail when more requests than before would find nothing in the lists that can take them')
    .option('--min-replayed <n>', 'fail when fewer records could be decided again')
    .action(async (flags: ReplayFlags) => {
      const limits = limitsOf(flags);
      const catalog = await loadCatalog(flags.catalog);
      const replay = new Replay(readPolicy(flags.policy, catalog), flags.against === undefined ? null : readPolicy(flags.against, catalog));
      const file = flags.from === 'ledger' && !existsSync('ledger') ? ledgerTarget(flags.ledger).place : flags.from;
      const chosen = {
        from: flags.window === undefined ? null : Date.now() - parseWindow(flags.window),
        where: flags.where,
        limit: numberOf(flags.limit, '--limit', 1),
      };
      const progress = new Progress('record');
      const add = (record: ExchangeRecord): void => {
        replay.add(record);
        progress.tick();
      };
      if (backendOf(file).shared) {
        await withRows(file, chosen.from ?? 0, (db) => {
          for (const record of recordsIn(db, chosen)) add(record);
        });
      } else {
        for await (const record of recordsOf({ file, ...chosen })) add(record);
      }
      progress.done();
      const report = replay.report();
      process.stdout.write(flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : replayText(report));
      const passed = limits.flatMap((check) => check(report) ?? []);
      if (passed.length > 0) throw new SluiceError('SLUICE_REPLAY_LIMIT', passed.join(' '), { where: flags.policy });
    });
}

/** The limit that the report exceeds, or null. */
type Check = (report: ReplayReport) => string | null;

function limitsOf(flags: ReplayFlags): Check[] {
  const checks: Check[] = [];
  const add = (flag: string, value: string | undefined, check: (limit: number) => Check): void => {
    if (value !== undefined) checks.push(check(numberOf(value, flag, 0)));
  };
  add('--max-cost-increase', flags.maxCostIncrease, (limit) => ({ cost: { relative, compared } }) => {
    if (relative === null) return `The cost of ${counted(compared, 'request')} says nothing of its rise.`;
    return relative.high * 100 > limit ? `The cost may rise by ${(relative.high * 100).toFixed(1)}%; ${limit}% is allowed.` : null;
  });
  add(
    '--max-moved',
    flags.maxMoved,
    (limit) =>
      ({ moved, replayed }) =>
        moved * 100 > limit * replayed
          ? `${((moved / replayed) * 100).toFixed(1)}% of the requests would move; ${limit}% is allowed.`
          : null,
  );
  add(
    '--max-refused',
    flags.maxRefused,
    (limit) =>
      ({ newlyRefused }) =>
        newlyRefused > limit ? `${counted(newlyRefused, 'request')} that got an answer would be refused; the limit is ${limit}.` : null,
  );
  add(
    '--max-unable',
    flags.maxUnable,
    (limit) =>
      ({ unable }) =>
        unable.after - unable.before > limit
          ? `${unable.after - unable.before} more requests would find nothing that can take them; ${limit} are allowed.`
          : null,
  );
  add(
    '--min-replayed',
    flags.minReplayed,
    (limit) =>
      ({ replayed }) =>
        replayed < limit ? `${counted(replayed, 'record')} could be decided again; at least ${limit} must be.` : null,
  );
  return checks;
}

function numberOf(text: string, flag: string, least: number): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < least)
    throw new SluiceError('SLUICE_CLI_USAGE', `a number from ${least} is asked for.`, { where: flag });
  return value;
}
