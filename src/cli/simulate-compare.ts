import { counted } from '../lib/counted.ts';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { loadCatalog } from '../catalog/index.ts';
import { SluiceError } from '../lib/errors.ts';
import { withFileLater } from '../lib/read-file.ts';
import { assumedTokens, simulateCompare, type CompareOptions, type CompareResult, type ModelPrice } from '../router/candidates/simulate.ts';
import { measureLengths, type LengthFigures } from '../router/output/measure.ts';
import { decodeQuality, readQuality } from '../router/quality/file.ts';
import { listPrice, reasons } from '../router/quality/list-prices.ts';
import { canonicalName } from '../router/quality/names.ts';
import { readOutcomes, type OutcomeData, type OutcomeRow } from '../router/quality/outcomes.ts';
import type { QualityModel } from '../router/quality/model.ts';
import { trainQuality } from '../router/quality/train.ts';
import { percent } from '../router/training/report-text.ts';
import { fileOf } from './stdin.ts';

/** The flags of `simulate-learning` that rows of several models need. Numbers are already checked. */
export interface CompareFlags {
  readonly quality?: string;
  readonly leaveOut: boolean;
  readonly requested: string;
  readonly models?: string;
  readonly prices?: string;
  readonly seeds: number;
  readonly requests: number;
  readonly warmup: number;
  readonly graded: number;
  readonly grades: 'served' | 'both';
  readonly maxLoss: number;
  readonly json: boolean;
}

/** A measurement: what is compared, with or without grades, and the goal. */
interface Case {
  readonly name: string;
  readonly models: readonly string[];
  readonly graded: number;
  /** The goal: at most this cost relative to always the requested model, or at least this share on other models. */
  readonly goal: { readonly kind: 'cost' | 'share'; readonly value: number };
}

interface Measured extends Case {
  readonly results: readonly CompareResult[];
}

const pricesSchema = z.record(z.string(), z.strictObject({ input: z.number().min(0), output: z.number().min(0) }));

/** Streams rows with several models' outcomes through the comparison of candidates, and prints the result for each goal. */
export async function simulateCompareCommand(file: string, flags: CompareFlags): Promise<void> {
  const data = await readOutcomes(fileOf(file));
  const prices = await pricesOf(data, flags);
  const requested = named(flags.requested, [...prices.keys()]);
  const small = [...prices.keys()].find((model) => canonicalName(model, true) === `${canonicalName(requested, true)}-mini`);
  const several = [...prices.keys()];
  const cases: Case[] = [
    { name: `${counted(several.length, 'model')}, public outcomes alone`, models: several, graded: 0, goal: { kind: 'cost', value: 0.55 } },
    {
      name: `${counted(several.length, 'model')}, ${percent(flags.graded)} graded`,
      models: several,
      graded: flags.graded,
      goal: { kind: 'cost', value: 0.42 },
    },
    ...(small === undefined
      ? []
      : ([
          {
            name: `${small} for ${requested}, ${percent(flags.graded)} graded`,
            models: [requested, small],
            graded: flags.graded,
            goal: { kind: 'share', value: 0.45 },
          },
        ] as const)),
  ];
  const sets = flags.leaveOut ? halves(data) : [{ rows: data.rows, quality: readQuality(flags.quality) }];
  const measured = cases.map((one): Measured => ({
    ...one,
    results: sets.flatMap(({ rows, quality }) => simulateCompare(rows, optionsOf(one, flags, { prices, requested, quality }))),
  }));
  const lengths = sets.map(({ rows, quality }) => measureLengths(rows, several, { quality, seen: seenAnswers, assumed: assumedTokens }));
  const unpriced = data.models.filter((model) => !prices.has(model));
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ requested, unpriced, cases: measured.map(plain), lengths })}\n`
      : render(measured, {
          requested,
          unpriced,
          flags,
          lengths,
          rows: data.rows.length,
          strangers: several.filter((model) => sets.every(({ quality }) => quality.indexOf(model) === -1)),
        }),
  );
}

function optionsOf(
  { models, graded }: Case,
  { seeds, requests, warmup, grades, maxLoss }: CompareFlags,
  {
    prices,
    requested,
    quality,
  }: { readonly prices: ReadonlyMap<string, ModelPrice>; readonly requested: string; readonly quality: QualityModel },
): CompareOptions {
  return {
    quality,
    prices: new Map(models.map((model) => [model, prices.get(model)!])),
    requested,
    objective: { kind: 'loss', maxLoss },
    seeds,
    requests,
    warmup,
    graded,
    grades,
  };
}

/**
 * Prices of the rows' models: from --prices, else list prices. A reasoning model is left out if the rows do not count its reasoning tokens.
 */
async function pricesOf(data: OutcomeData, { prices: file, models }: CompareFlags): Promise<Map<string, ModelPrice>> {
  const given = file === undefined ? {} : await readPrices(file);
  const wanted = models === undefined ? data.models : models.split(',').map((model) => named(model.trim(), data.models));
  const catalog = await loadCatalog();
  const found = new Map<string, ModelPrice>();
  for (const model of wanted) {
    const price = given[model] ?? (models === undefined && reasons(model) ? null : listPrice(model, catalog));
    if (price !== null) found.set(model, price);
  }
  return found;
}

async function readPrices(file: string): Promise<Readonly<Record<string, ModelPrice>>> {
  return withFileLater(file, async () => pricesSchema.parse(JSON.parse(await readFile(fileOf(file), 'utf8'))));
}

/** Finds one of the rows' models by its name, with or without its date; the newest if several match. Throws SLUICE_CLI_USAGE. */
function named(model: string, among: readonly string[]): string {
  const exact = among.find((one) => one === model) ?? among.find((one) => canonicalName(one) === canonicalName(model));
  const found =
    exact ??
    among
      .filter((one) => canonicalName(one, true) === canonicalName(model, true))
      .sort()
      .at(-1);
  if (found === undefined)
    throw new SluiceError('SLUICE_CLI_USAGE', `the rows have no model ${model} with a price: ${among.join(', ')}.`, {
      where: '--requested',
    });
  return found;
}

/** Each half of the rows, split by a hash of their names, with a quality model trained on the other half. */
function halves(data: OutcomeData): { readonly rows: readonly OutcomeRow[]; readonly quality: QualityModel }[] {
  const halfOf = ({ id }: OutcomeRow): number => createHash('sha256').update(id).digest()[0]! & 1;
  return [0, 1].map((half) => {
    const { bytes } = trainQuality(
      { ...data, rows: data.rows.filter((row) => halfOf(row) !== half) },
      { name: 'simulation', trainedWith: 'simulate-learning', seed: 1, folds: 5 },
    );
    return { rows: data.rows.filter((row) => halfOf(row) === half), quality: decodeQuality(bytes, 'simulation') };
  });
}

interface Figures {
  readonly cost: number;
  readonly loss: number;
  readonly worstStream: number;
  readonly worstWindow: number;
  readonly elsewhere: number;
  readonly kept: number;
}

function figuresOf(results: readonly CompareResult[], maxLoss: number, requested: string): Figures {
  const mean = (of: (result: CompareResult) => number): number => results.reduce((sum, result) => sum + of(result), 0) / results.length;
  return {
    cost: mean(({ cost }) => cost),
    loss: mean(({ loss }) => loss),
    worstStream: Math.max(...results.map(({ loss }) => loss)),
    worstWindow: Math.max(...results.map(({ worstWindow }) => worstWindow)),
    elsewhere: 1 - mean(({ shares }) => shares.get(requested) ?? 0),
    kept: results.filter(({ loss }) => loss <= maxLoss + 0.01).length,
  };
}

function plain({ results, ...rest }: Measured): object {
  return { ...rest, results: results.map(({ shares, ...result }) => ({ ...result, shares: Object.fromEntries(shares) })) };
}

interface About {
  readonly requested: string;
  readonly unpriced: readonly string[];
  readonly strangers: readonly string[];
  readonly flags: CompareFlags;
  /** For each set of rows; null if there are too few answers. */
  readonly lengths: readonly (LengthFigures | null)[];
  readonly rows: number;
}

function render(measured: readonly Measured[], { requested, unpriced, strangers, flags, lengths, rows }: About): string {
  const { seeds, requests, warmup, maxLoss } = flags;
  const lines = [
    `${counted(rows, 'row')}; always ${requested} = 100% cost. At most ${percent(maxLoss)} loss promised. ${seeds} streams of ${counted(requests, 'request')}${flags.leaveOut ? ' of each half' : ''}, measured after ${warmup}.`,
    ...(unpriced.length === 0 ? [] : [`Left out (no price, or thoughts that the rows do not count): ${unpriced.join(', ')}.`]),
    ...(strangers.length === 0 ? [] : [`Without public outcomes, known by grades alone: ${strangers.join(', ')}.`]),
    '',
    '| compared | cost | on other models | loss | worst stream | within 1 point of the promise | worst 500 in a row | goal | reached |',
    '|---|---|---|---|---|---|---|---|---|',
    ...measured.map(({ name, results, goal }) => {
      const { cost, loss, worstStream, worstWindow, elsewhere, kept } = figuresOf(results, maxLoss, requested);
      const reached = loss <= maxLoss && (goal.kind === 'cost' ? cost <= goal.value : elsewhere >= goal.value);
      return `| ${name} | ${percent(cost)} | ${percent(elsewhere)} | ${percent(loss)} | ${percent(worstStream)} | ${kept} of ${results.length} | ${percent(worstWindow)} | ${goal.kind === 'cost' ? `cost ≤ ${percent(goal.value)}` : `others ≥ ${percent(goal.value)}`}, loss ≤ ${percent(maxLoss)} | ${reached ? 'yes' : 'no'} |`;
    }),
    '',
    ...measured.map(({ name, results }) => `${name}: ${sharesOf(results)}`),
    '',
    ...lengths.map(lengthsText),
    '',
  ];
  return lines.join('\n');
}

/** Number of answers of a template and model from which lengths are learnt before they are measured. */
const seenAnswers = 200;
const lengthGoals = { within2: 0.75, correlation: 0.5 };

function lengthsText(figures: LengthFigures | null): string {
  if (figures === null) return `Output tokens: fewer than ${seenAnswers + 20} answers of any data set and model.`;
  const { within2, correlation, correlationWithin, seen, answers } = figures;
  const reached = within2 >= lengthGoals.within2 && correlation >= lengthGoals.correlation;
  return `Output tokens of ${answers} answers, after ${seen} of the same data set and model: ${percent(within2)} within half to twice of what was expected, rank correlation ${correlation.toFixed(2)} (${correlationWithin.toFixed(2)} within a data set and model). Goal ${percent(lengthGoals.within2)} and ${lengthGoals.correlation}: ${reached ? 'reached' : 'not reached'}.`;
}

const mostNamed = 6;

function sharesOf(results: readonly CompareResult[]): string {
  const sums = new Map<string, number>();
  for (const { shares } of results) for (const [model, share] of shares) sums.set(model, (sums.get(model) ?? 0) + share / results.length);
  return [...sums]
    .sort((a, b) => b[1] - a[1])
    .slice(0, mostNamed)
    .map(([model, share]) => `${model} ${percent(share)}`)
    .join(', ');
}
