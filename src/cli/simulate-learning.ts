import { Option, type Command } from 'commander';
import { defaultModelFile, readModel } from '../router/model/file.ts';
import { leastKnown, thresholdFor } from '../router/model/verdict.ts';
import { classifyRequest } from '../classify/index.ts';
import { exchangeOf } from './prompt-rows.ts';
import type { PairCalibration } from '../router/model/types.ts';
import { SluiceError } from '../lib/errors.ts';
import { gainSettings } from '../router/training/fit.ts';
import { percent } from '../router/training/report-text.ts';
import { readLabelled, type LabelledRow } from '../router/training/rows.ts';
import { train } from '../router/training/train.ts';
import { simulate, type SeedResult, type SimulatedRow } from '../router/online/simulate.ts';
import { holdsOutcomes } from '../router/quality/outcomes.ts';
import { shared } from './flags/shared.ts';
import { simulateCompareCommand } from './simulate-compare.ts';
import { whole } from './train.ts';
import { fileOf } from './stdin.ts';

interface SimulateFlags {
  readonly model?: string;
  readonly leaveOut?: 'group' | 'task' | 'source';
  readonly seeds: string;
  readonly requests: string;
  readonly warmup: string;
  readonly graded: string;
  readonly grades: 'served' | 'both';
  readonly loss: string;
  readonly kept: string;
  readonly templates: string;
  readonly shift?: true;
  readonly json?: true;
  readonly quality?: string;
  readonly requested: string;
  readonly models?: string;
  readonly prices?: string;
}

/** Minimum gain in the learner's share on the weak model over the static router's to count as worthwhile. */
const worth = 1.4;

/** `sluice simulate-learning ROWS`: simulates learning from grades on labelled rows, sent as traffic of templates (their tasks). */
export function registerSimulateLearning(program: Command): void {
  program
    .command('simulate-learning')
    .argument(
      '<rows>',
      'labelled rows: JSON lines with prompt, weak_score, strong_score, task, or with prompt, scores {model: 0..1}, output_chars {model: n}, dataset; plain or gzipped; - for stdin',
    )
    .description('streams labelled rows as traffic, each task a template, through learning and through the router alone')
    .option(...shared.model)
    .addOption(
      new Option('--leave-out <what>', 'train on these rows, and score each by a model that did not see its group, task or source').choices(
        ['group', 'task', 'source'],
      ),
    )
    .option('--seeds <number>', 'streams', '10')
    .option('--requests <number>', 'of each stream', '6000')
    .option('--warmup <number>', 'requests before anything is measured', '2000')
    .option('--graded <share>', 'of the requests', '0.05')
    .addOption(
      new Option('--grades <whose>', 'served: of the answer that was served; both: of both models, as for mirrored requests')
        .choices(['served', 'both'])
        .default('both'),
    )
    .option('--loss <share>', 'maxQualityLoss of both routers', '0.02')
    .option('--kept <share>', 'realised loss that counts as kept', '0.03')
    .option('--templates <number>', 'at a time; how often each is drawn falls with 1/rank', '10')
    .option('--shift', 'in the middle of the stream other templates take the place of all')
    .option(
      '--quality <file>',
      'rows of several models: quality model; - for stdin (default: the one that comes with Sluice); --leave-out group: of the other half of the rows',
      fileOf,
    )
    .option('--requested <model>', 'rows of several models: what apps ask for', 'gpt-4o')
    .option('--models <list>', 'rows of several models: which are compared, the requested one among them (default: all that have a price)')
    .option(
      '--prices <file>',
      'rows of several models: JSON {model: {input, output}} in US dollars per million tokens; - for stdin (default: list prices)',
    )
    .option(...shared.json)
    .action(simulateCommand);
}

async function simulateCommand(file: string, flags: SimulateFlags): Promise<void> {
  if (flags.model !== undefined && flags.leaveOut !== undefined)
    throw new SluiceError('SLUICE_CLI_USAGE', 'a model is given or trained, not both.', { where: '--leave-out' });
  if (await holdsOutcomes(file)) return severalModels(file, flags);
  const data = await readLabelled(fileOf(file));
  const { rows, pairs } =
    flags.leaveOut === undefined ? await scored(data.rows, flags.model ?? defaultModelFile) : leftOut(data, flags.leaveOut);
  const maxLoss = share(flags.loss, '--loss');
  const keptLoss = share(flags.kept, '--kept');
  const threshold = pooled(pairs, maxLoss);
  const results = simulate(rows, {
    seeds: whole(flags.seeds, '--seeds', 1, 1_000),
    requests: whole(flags.requests, '--requests', 1_000, 1_000_000),
    warmup: whole(flags.warmup, '--warmup', 0, 999_000),
    graded: share(flags.graded, '--graded'),
    grades: flags.grades,
    maxLoss,
    keptLoss,
    threshold,
    templates: whole(flags.templates, '--templates', 1, 10_000),
    shift: flags.shift === true,
  });
  process.stdout.write(flags.json === true ? `${JSON.stringify({ threshold, results })}\n` : render(results, threshold, keptLoss));
}

function severalModels(file: string, flags: SimulateFlags): Promise<void> {
  if (flags.leaveOut !== undefined && flags.leaveOut !== 'group')
    throw new SluiceError('SLUICE_CLI_USAGE', 'of rows with several models only groups can be left out.', { where: '--leave-out' });
  return simulateCompareCommand(file, {
    ...(flags.quality === undefined ? {} : { quality: flags.quality }),
    ...(flags.models === undefined ? {} : { models: flags.models }),
    ...(flags.prices === undefined ? {} : { prices: flags.prices }),
    leaveOut: flags.leaveOut === 'group',
    requested: flags.requested,
    seeds: whole(flags.seeds, '--seeds', 1, 1_000),
    requests: whole(flags.requests, '--requests', 1_000, 1_000_000),
    warmup: whole(flags.warmup, '--warmup', 0, 999_000),
    graded: share(flags.graded, '--graded'),
    grades: flags.grades,
    maxLoss: share(flags.loss, '--loss'),
    json: flags.json === true,
  });
}

async function scored(rows: readonly LabelledRow[], file: string): Promise<{ rows: SimulatedRow[]; pairs: readonly PairCalibration[] }> {
  const model = await readModel(file);
  return {
    rows: rows.map((row) => {
      const { gain, uncertainty, abstain, known } = model.predict(row.prompt);
      // As in the server: the router abstains on kinds that it does not know.
      return {
        gain,
        uncertainty,
        abstain: abstain || known < leastKnown,
        kind: kindOf(row),
        template: templateOf(row),
        weak: row.weak,
        strong: row.strong,
      };
    }),
    pairs: model.header.pairs,
  };
}

function leftOut(
  data: Parameters<typeof train>[0],
  what: 'group' | 'task' | 'source',
): { rows: SimulatedRow[]; pairs: readonly PairCalibration[] } {
  const trained = train(data, {
    settings: { ...gainSettings, seed: 1 },
    name: 'simulation',
    trainedWith: 'simulate-learning',
    folds: 5,
    progress: (message) => process.stderr.write(`${message}\n`),
  });
  const scores = what === 'group' ? trained.home : what === 'task' ? trained.away : trained.newSources;
  const { errorHome, errorAway } = trained.header.calibration;
  const uncertainty = what === 'group' ? errorHome : errorAway;
  if (scores === null)
    throw new SluiceError('SLUICE_ROWS_INVALID', `The rows name too few ${what}s to leave one out.`, { where: '--leave-out' });
  return {
    rows: data.rows.map((row, at) => ({
      gain: scores[at]!.score,
      uncertainty,
      abstain: false,
      kind: kindOf(row),
      template: templateOf(row),
      weak: row.weak,
      strong: row.strong,
    })),
    pairs: trained.header.pairs,
  };
}

/** The kind of work, with the classifier's names. */
function kindOf({ id, prompt }: LabelledRow): string {
  return classifyRequest(exchangeOf({ prompt }, id)).task;
}

function templateOf({ source, task }: LabelledRow): string {
  return `${source}/${task ?? ''}`;
}

/** The threshold of the pair with the most rows: the rows' tasks represent one pair's traffic. */
function pooled(pairs: readonly PairCalibration[], maxLoss: number): number {
  return pairs[0] === undefined ? -Infinity : (thresholdFor(pairs[0].points, maxLoss)?.threshold ?? -Infinity);
}

function render(results: readonly SeedResult[], threshold: number, keptLoss: number): string {
  const mean = (of: (result: SeedResult) => number): number => results.reduce((sum, result) => sum + of(result), 0) / results.length;
  const won = (result: SeedResult): boolean => result.learner.loss <= keptLoss && result.learner.weakShare >= worth * result.fixedKept;
  const rows = results.map((result) => {
    const { seed, learner, fixed, fixedKept, worstWindow, windowsKept } = result;
    return `| ${seed} | ${percent(learner.weakShare)} | ${percent(learner.loss)} | ${percent(fixed.weakShare)} | ${percent(fixed.loss)} | ${percent(fixedKept)} | ${won(result) ? 'yes' : 'no'} | ${percent(worstWindow)} | ${percent(windowsKept)} |`;
  });
  return [
    `Static threshold ${threshold.toFixed(4)}; ${percent(mean(({ graded }) => graded))} of the requests graded. Loss is relative to always-strong; at most ${percent(keptLoss)} is kept.`,
    '',
    `| seed | learning: on the weak model | loss | static: on the weak model | loss | static, lowered until kept | ${worth}× and kept | worst 500 in a row | windows of 500 within 4% |`,
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    `| mean | ${percent(mean(({ learner }) => learner.weakShare))} | ${percent(mean(({ learner }) => learner.loss))} | ${percent(mean(({ fixed }) => fixed.weakShare))} | ${percent(mean(({ fixed }) => fixed.loss))} | ${percent(mean(({ fixedKept }) => fixedKept))} | ${results.filter(won).length} of ${results.length} | ${percent(mean(({ worstWindow }) => worstWindow))} | ${percent(mean(({ windowsKept }) => windowsKept))} |`,
    '',
  ].join('\n');
}

function share(text: string, flag: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new SluiceError('SLUICE_CLI_USAGE', `a share from 0 to 1 is wanted, not ${text}.`, { where: flag });
  return value;
}
