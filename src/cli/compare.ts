import { counted } from '../lib/counted.ts';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { loadCatalog } from '../catalog/index.ts';
import { SluiceError } from '../lib/errors.ts';
import { backendOf } from '../ledger/backends.ts';
import { parseWindow } from '../ledger/query.ts';
import type { PolicyFile } from '../policy/types.ts';
import { PolicyRun, type PolicyFigures } from '../replay/comparison.ts';
import { holdsPrompts, promptsOf } from '../replay/prompts.ts';
import { recordsIn, recordsOf } from '../replay/sources.ts';
import { strategies } from '../replay/strategies.ts';
import { defaultModelFile, readModel } from '../router/model/file.ts';
import { alignColumns, cents } from '../record/columns.ts';
import { shared } from './flags/shared.ts';
import { ledgerTarget, withRows } from './open-ledger.ts';
import { Progress } from './progress.ts';
import { compiledPolicy, policyFilesAt } from './read-policy.ts';
import { fileOf } from './stdin.ts';
import { whole } from './train.ts';

interface CompareFlags {
  readonly on: string;
  readonly strategies?: true;
  readonly requested: string;
  readonly small: string;
  readonly middle: string;
  readonly window?: string;
  readonly limit: string;
  readonly catalog?: string;
  readonly json?: true;
}

/** `sluice compare POLICY… --on SOURCE`: one table that compares several policies on the same traffic. */
export function registerCompare(program: Command): void {
  program
    .command('compare')
    .argument('[policies...]', 'policies: files, or folders; - for stdin')
    .description('one table over the same traffic: models, cost, savings, expected loss, cache hits and fallbacks of several policies')
    .requiredOption(
      '--on <source>',
      'ledger, postgres://…, a ledger, a log or an export; or prompts: JSON lines with prompt or messages, or a folder such as data/prompts; - for stdin',
      fileOf,
    )
    .option('--strategies', 'the classic ladder too: naive, token-based, tiers, learned, with fallback, segmented with cache')
    .option('--requested <model>', 'what prompts ask for that name no model; the large model of the ladder', 'gpt-5.1')
    .option('--middle <model>', 'of the ladder', 'gpt-5-mini')
    .option('--small <model>', 'of the ladder', 'gpt-5-nano')
    .option('--window <time>', 'records: how far back: 90m, 24h, 30d (default: all)')
    .option('--limit <n>', 'at most this many requests', '1000000')
    .option(...shared.catalog)
    .option(...shared.json)
    .action(compareCommand);
}

async function compareCommand(policies: readonly string[], flags: CompareFlags): Promise<void> {
  const named: { readonly name: string; readonly files: readonly PolicyFile[] }[] = policies.map((path) => ({
    name: path === '-' ? 'stdin' : basename(path),
    files: policyFilesAt(path),
  }));
  if (flags.strategies === true)
    for (const { name, policy } of strategies({ small: flags.small, middle: flags.middle, large: flags.requested }))
      named.push({ name, files: [{ name, text: policy }] });
  if (named.length === 0) throw new SluiceError('SLUICE_CLI_USAGE', 'name a policy, or say --strategies.', { where: 'POLICY' });
  const catalog = await loadCatalog(flags.catalog);
  const router = await readModel(defaultModelFile);
  const runs = named.map(({ name, files }) => new PolicyRun(name, compiledPolicy(name, files, catalog), router));
  const estimated = await feed(runs, flags);
  const figures = runs.map((run) => run.figures());
  process.stdout.write(flags.json === true ? `${JSON.stringify({ estimated, policies: figures }, null, 2)}\n` : render(figures, estimated));
}

interface Traffic {
  readonly file: string;
  readonly requested: string;
  readonly most: number;
  readonly window: string | undefined;
}

/** Feeds the same traffic to every run. Returns true if its costs are estimates because nobody answered it. */
async function feed(runs: readonly PolicyRun[], { on, requested, window, limit }: CompareFlags): Promise<boolean> {
  const most = whole(limit, '--limit', 1, 100_000_000);
  const file = on === 'ledger' && !existsSync('ledger') ? ledgerTarget(undefined).place : on;
  const progress = new Progress('request');
  const each = (add: (run: PolicyRun) => void): void => {
    runs.forEach(add);
    progress.tick();
  };
  try {
    return await fed({ file, requested, most, window }, each);
  } finally {
    progress.done();
  }
}

/** `each`: calls what it is given with every run. */
async function fed({ file, requested, most, window }: Traffic, each: (add: (run: PolicyRun) => void) => void): Promise<boolean> {
  const chosen = { from: window === undefined ? null : Date.now() - parseWindow(window), where: [], limit: most };
  if (backendOf(file).shared) {
    await withRows(file, chosen.from ?? 0, (db) => {
      for (const record of recordsIn(db, chosen)) each((run) => run.addRecord(record));
    });
    return false;
  }
  if (await holdsPrompts(file)) {
    const prompts = await promptsOf(file, requested);
    // Sampled evenly over the whole: folders contain one kind of prompt after the other.
    const count = Math.min(most, prompts.length);
    for (let at = 0; at < count; at++) each((run) => run.addPrompt(prompts[Math.floor((at * prompts.length) / count)]!, 0));
    return true;
  }
  for await (const record of recordsOf({ file, ...chosen })) each((run) => run.addRecord(record));
  return false;
}

const mostNamed = 3;

function render(figures: readonly PolicyFigures[], estimated: boolean): string {
  const share = (part: number, of: number): string => (of === 0 ? '–' : `${((100 * part) / of).toFixed(1)}%`);
  const rows = figures.map((one) => {
    const { requests, models, savedShare } = one;
    const percentOf = (ratio: number): string => `${(100 * ratio).toFixed(1)}%`;
    const interval =
      savedShare === null ? '–' : `${percentOf(savedShare.ratio)} (${percentOf(savedShare.low)} to ${percentOf(savedShare.high)})`;
    const loss =
      one.moved === 0
        ? '0'
        : one.lossKnown === 0
          ? 'not known'
          : `${(100 * one.expectedLoss).toFixed(2)} (known of ${share(one.lossKnown, one.moved)})`;
    return [
      one.name,
      String(requests),
      models
        .slice(0, mostNamed)
        .map(([model, count]) => `${model.slice(model.indexOf('/') + 1)} ${share(count, requests)}`)
        .join(', ') || '–',
      cents(one.costUsd),
      interval,
      share(one.moved, requests),
      loss,
      share(one.cached, requests),
      share(one.chained, requests),
      one.failed === 0 ? '–' : `${one.rescued} of ${one.failed}`,
    ];
  });
  const { skipped = 0, unpriced = 0 } = figures[0] ?? {};
  const notes = [
    estimated
      ? 'Nobody answered these prompts: costs are estimates, by what answers of each task usually take.'
      : 'Costs are those of the recorded tokens; records hold no prompts, so what only these would tell is not decided again.',
    'Savings are against the requested model, with the interval in which they lie with 95% as if the requests were drawn again. Loss is the mean in points of those requests that moved and whose quality public outcomes, grades or a calibration of the learned router know.',
    ...(skipped === 0 ? [] : [`${counted(skipped, 'record')} could not be decided again.`]),
    ...(unpriced === 0 ? [] : [`${counted(unpriced, 'request')} without a known price.`]),
  ];
  return `${alignColumns(['policy', 'requests', 'models', 'cost', 'saved', 'moved', 'expected loss', 'exact repeats', 'with fallback', 'failures with another target'], rows, new Set([1, 3]))}\n\n${notes.join('\n')}\n`;
}
