import { wordBits, gramBuckets } from '../model/grams.ts';
import { encodeModel } from '../model/file.ts';
import { treeFeatures } from '../model/features.ts';
import type { CalibrationTable } from '../model/calibration.ts';
import { calibrated, knownness } from '../model/calibration.ts';
import type { ModelTables } from '../model/model.ts';
import type { CardFigures, CardSource, ModelHeader } from '../model/types.ts';
import { fit, leaningOf, rawScores, type FitSettings, type FittedParts, type RawScore } from './fit.ts';
import { groupFolds, sourceFolds, taskFolds, type Folds } from './folds.ts';
import { risingCurve, valueAt, type RisingCurve } from './isotonic.ts';
import { featureMatrix, type FeatureMatrix } from './matrix.ts';
import { apgr, atLoss, atThreshold, calibrationError, type Scored } from './metrics.ts';
import { calibratePairs } from './pairs.ts';
import type { LabelledData, LabelledRow } from './rows.ts';

export interface TrainOptions {
  readonly settings: FitSettings;
  readonly name: string;
  /** Version of Sluice that trains the model. */
  readonly trainedWith: string;
  readonly folds: number;
  readonly progress: (message: string) => void;
  /** Finished folds of an interrupted run with the same rows and settings; absent to train every fold. */
  readonly checkpoint?: FoldStore | undefined;
}

/** Stores the held-out scores of finished folds, so that an interrupted run continues with the next fold. */
export interface FoldStore {
  /** Scores of a fold's rows, in their order; null if not finished. */
  get(fold: string): readonly RawScore[] | null;
  put(fold: string, scores: readonly RawScore[]): void;
}

export interface Trained {
  readonly bytes: Buffer;
  readonly header: ModelHeader;
  /** Each row with the calibrated gain that it got while its group was held out. */
  readonly home: readonly Scored[];
  /** The same with its whole task held out; null when the rows name too few tasks. */
  readonly away: readonly Scored[] | null;
  /** The same with its whole source held out; null when the rows name fewer than two. */
  readonly newSources: readonly Scored[] | null;
}

/** Held-out scores of all rows, in their order. */
function crossValidate(
  matrix: FeatureMatrix,
  rows: readonly LabelledRow[],
  folds: Folds,
  options: TrainOptions,
  title: string,
): RawScore[] {
  const scores = new Array<RawScore>(rows.length);
  for (let fold = 0; fold < folds.count; fold++) {
    const all = Int32Array.from(rows.keys());
    const held = all.filter((row) => folds.of[row] === fold);
    const name = `${title} ${fold}`;
    const known = options.checkpoint?.get(name);
    const found =
      known?.length === held.length
        ? known
        : rawScores(
            fit(
              matrix,
              rows,
              all.filter((row) => folds.of[row] !== fold),
              options.settings,
            ),
            matrix,
            held,
            options.settings,
          );
    if (found !== known) options.checkpoint?.put(name, found);
    for (const [at, score] of found.entries()) scores[held[at]!] = score;
    options.progress(`${title}: fold ${fold + 1} of ${folds.count}`);
  }
  return scores;
}

/**
 * Trains a model on labelled rows: cross-validates by group and by whole tasks, calibrates on the held-out scores, then trains on all rows.
 * Deterministic: the same rows and settings give the same bytes.
 */
export function train(data: LabelledData, options: TrainOptions): Trained {
  const { rows } = data;
  const { settings, progress } = options;
  const matrix = featureMatrix(
    rows.map(({ prompt }) => prompt),
    (done) => progress(`features: ${done} of ${rows.length} rows`),
  );
  const home = crossValidate(matrix, rows, groupFolds(rows, options.folds, settings.seed), options, 'cross-validation by group');
  const byTask = taskFolds(rows, options.folds + 3, settings.seed);
  const away = byTask === null ? null : crossValidate(matrix, rows, byTask, options, 'cross-validation by task');
  const bySource = sourceFolds(rows, options.folds + 3, settings.seed);
  const sources = bySource === null ? null : crossValidate(matrix, rows, bySource, options, 'cross-validation by source');
  const table = calibrate(rows, home, away);
  const sourceRows = sources === null ? null : scoredBy(table, rows, sources);
  const homeRows = scoredBy(table, rows, home);
  const awayRows = away === null ? null : scoredBy(table, rows, away);
  progress('learning from all rows');
  const parts = fit(matrix, rows, Int32Array.from(rows.keys()), settings);
  const { tables, idfStep, weightStep, topics } = rounded(parts);
  const leaning = leaningOf(parts, settings);
  const header: ModelHeader = {
    format: 2,
    kind: settings.kind,
    seed: settings.seed,
    features: parts.forest === null ? [] : [...treeFeatures, ...parts.topics.names],
    idfStep,
    weightStep,
    bias: parts.linear.bias,
    topics,
    trees: parts.forest?.trees ?? 0,
    depth: parts.forest?.depth ?? 0,
    treeBase: parts.forest?.base ?? 0,
    treeShare: parts.forest === null ? 0 : settings.treeShare,
    ...(leaning === undefined ? {} : { leaning }),
    calibration: table,
    pairs: calibratePairs(
      rows.map((row, at) => ({ ...homeRows[at]!, group: row.group, weakModel: row.weakModel, strongModel: row.strongModel })),
    ),
    card: {
      name: options.name,
      trainedWith: options.trainedWith,
      rows: rows.length,
      dataSha256: data.sha256,
      sources: sourcesOf(rows),
      home: figures(homeRows),
      away: awayRows === null ? null : figures(awayRows),
      newSources: sourceRows === null ? null : { ...figures(sourceRows), lowest: lowestSource(rows, sourceRows) },
      limits: limitsOf(settings, awayRows !== null),
    },
  };
  return { bytes: encodeModel(header, tables), header, home: homeRows, away: awayRows, newSources: sourceRows };
}

/** Bins of the curve for known prompts; each is shrunk slightly to the mean. */
const curvePoints = 24;
const curvePrior = 20;

function scoredBy(table: CalibrationTable, rows: readonly LabelledRow[], scores: readonly RawScore[]): Scored[] {
  return rows.map(({ weak, strong }, at) => ({
    score: calibrated(table, scores[at]!.raw, knownness(table, scores[at]!.certainty)),
    weak,
    strong,
  }));
}

function calibrate(rows: readonly LabelledRow[], home: readonly RawScore[], away: readonly RawScore[] | null): CalibrationTable {
  const gains = Float64Array.from(rows, ({ weak, strong }) => strong - weak);
  const homeCurve = risingCurve(
    Float64Array.from(home, ({ raw }) => raw),
    gains,
    curvePoints,
    curvePrior,
  );
  // Fewer, larger bins: which tasks are held out is random, and the curve should not follow it.
  const awayCurve =
    away === null
      ? homeCurve
      : risingCurve(
          Float64Array.from(away, ({ raw }) => raw),
          gains,
          Math.ceil(curvePoints / 3),
          5 * curvePrior,
        );
  const unfamiliar = Float64Array.from(away ?? home, ({ familiarity }) => familiarity).sort();
  const certain = Float64Array.from(home, ({ certainty }) => certainty).sort();
  const unknownBelow = quantile(Float64Array.from(away ?? home, ({ certainty }) => certainty).sort(), 0.25);
  const raw = [...new Set([...homeCurve.at, ...awayCurve.at])].sort((a, b) => a - b);
  const disagreement = disagreementError(home, gains, homeCurve);
  const table: CalibrationTable = {
    raw,
    home: raw.map((score) => valueAt(homeCurve, score)),
    away: raw.map((score) => valueAt(awayCurve, score)),
    unknownBelow,
    knownAbove: Math.max(unknownBelow + 0.01, quantile(certain, 0.5)),
    // All but one in a thousand held-out prompts are more familiar than this; below it nothing was measured.
    abstainBelow: quantile(unfamiliar, 0.001),
    errorHome: curveError(home, gains, homeCurve, rows, ({ group }) => group),
    errorAway:
      away === null
        ? curveError(home, gains, homeCurve, rows, ({ group }) => group) * 2
        : curveError(away, gains, awayCurve, rows, ({ source, task }) => `${source}\n${task ?? ''}`),
    errorDisagreement: disagreement,
  };
  return away === null ? table : withMargin(table, rows, home, away);
}

/** Step and maximum of the margin: a larger margin would show in the calibration at home. */
const marginStep = 0.0025;
const marginSteps = 12;

/**
 * Raises the gain of unknown prompts until thresholds that send a tenth to four tenths of the known ones to the weak model lose on average
 * no more among held-out tasks than at home.
 */
function withMargin(
  table: CalibrationTable,
  rows: readonly LabelledRow[],
  home: readonly RawScore[],
  away: readonly RawScore[],
): CalibrationTable {
  let raised = table;
  for (let step = 1; step <= marginSteps; step++) {
    const atHome = scoredBy(raised, rows, home);
    const scores = Float64Array.from(atHome, ({ score }) => score).sort();
    const outside = scoredBy(raised, rows, away);
    const excess = [0.1, 0.2, 0.3, 0.4].reduce((sum, share) => {
      const threshold = quantile(scores, share);
      return sum + atThreshold(outside, threshold).loss - atThreshold(atHome, threshold).loss;
    }, 0);
    if (excess <= 0) break;
    raised = { ...table, away: table.away.map((gain) => gain + step * marginStep) };
  }
  return raised;
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Root mean square error of the curve in the mean of a task (away) or of a bin of similar scores (home), beyond what chance explains. */
function curveError(
  scores: readonly RawScore[],
  gains: Float64Array,
  curve: RisingCurve,
  rows: readonly LabelledRow[],
  keyOf: (row: LabelledRow) => string,
): number {
  const byKey = new Map<string, number[]>();
  const order = Array.from(scores.keys()).sort((a, b) => scores[a]!.raw - scores[b]!.raw);
  for (const [place, at] of order.entries()) {
    const key = keyOf(rows[at]!);
    // Groups of one or two rows have no useful mean, so rows of similar scores are binned instead.
    const name = key === rows[at]!.group ? `bin ${Math.floor(place / 100)}` : key;
    byKey.set(name, [...(byKey.get(name) ?? []), gains[at]! - valueAt(curve, scores[at]!.raw)]);
  }
  let square = 0;
  let weight = 0;
  for (const misses of byKey.values()) {
    if (misses.length < 20) continue;
    const mean = misses.reduce((sum, miss) => sum + miss, 0) / misses.length;
    const variance = misses.reduce((sum, miss) => sum + (miss - mean) ** 2, 0) / (misses.length - 1) / misses.length;
    square += (mean * mean - variance) * misses.length;
    weight += misses.length;
  }
  return Math.sqrt(Math.max(1e-4, weight === 0 ? 0.01 : square / weight));
}

/** How much a disagreement of words and trees adds to the error: the slope of |miss| on |disagreement|, at least 0. */
function disagreementError(scores: readonly RawScore[], gains: Float64Array, curve: RisingCurve): number {
  const apart = Float64Array.from(scores, ({ words, trees }) => Math.abs(words - trees));
  const miss = Float64Array.from(scores, ({ raw }, at) => Math.abs(gains[at]! - valueAt(curve, raw)));
  const meanApart = apart.reduce((sum, value) => sum + value, 0) / apart.length;
  const meanMiss = miss.reduce((sum, value) => sum + value, 0) / miss.length;
  let cross = 0;
  let square = 0;
  for (const [at, value] of apart.entries()) {
    cross += (value - meanApart) * (miss[at]! - meanMiss);
    square += (value - meanApart) ** 2;
  }
  return square === 0 ? 0 : Math.min(1, Math.max(0, cross / square));
}

function figures(rows: readonly Scored[]): CardFigures {
  const value = apgr(rows);
  return {
    apgr: Number.isNaN(value) ? 0.5 : value,
    ece: calibrationError(rows),
    weakShareAt1: atLoss(rows, 0.01).weakShare,
    weakShareAt3: atLoss(rows, 0.03).weakShare,
  };
}

/** Fewest rows of a source for a meaningful APGR. */
const sourceRowsLeast = 200;

/** APGR of the worst source with enough rows; 0.5 if there is none. */
function lowestSource(rows: readonly LabelledRow[], scored: readonly Scored[]): number {
  const bySource = new Map<string, Scored[]>();
  for (const [at, { source }] of rows.entries()) {
    const list = bySource.get(source);
    if (list === undefined) bySource.set(source, [scored[at]!]);
    else list.push(scored[at]!);
  }
  const values = [...bySource.values()]
    .filter((part) => part.length >= sourceRowsLeast)
    .map((part) => apgr(part))
    .filter((value) => !Number.isNaN(value));
  return values.length === 0 ? 0.5 : Math.min(...values);
}

function sourcesOf(rows: readonly LabelledRow[]): CardSource[] {
  const sources = new Map<string, CardSource & { rows: number }>();
  for (const { source, licence, weakModel, strongModel } of rows) {
    const key = [source, licence, weakModel, strongModel].join('\n');
    const entry = sources.get(key) ?? { source, rows: 0, licence, weakModel, strongModel };
    sources.set(key, { ...entry, rows: entry.rows + 1 });
  }
  return [...sources.values()].sort((a, b) => b.rows - a.rows).slice(0, 100);
}

function limitsOf({ kind }: FitSettings, hasAway: boolean): string[] {
  return [
    'Gain is measured between the pairs of models under sources; another pair has another gap, and needs its own calibration.',
    ...(hasAway
      ? ['The figures under away leave whole tasks out, those under newSources whole sources; traffic of other kinds can be worse still.']
      : ['The rows name too few tasks to tell what unknown ones would do.']),
    ...(kind === 'classic'
      ? ['The score is the chance that the weak model fails, which is not the gain: where both fail, the strong one does not help.']
      : []),
    'Only the prompt is read, its first 1500 and last 500 characters: no system prompt, tools or earlier turns.',
  ];
}

/** A fitted model's tables as stored in the file. */
function rounded({ vocabulary, linear, topics, forest }: FittedParts): {
  readonly tables: ModelTables;
  readonly idfStep: number;
  readonly weightStep: number;
  readonly topics: ModelHeader['topics'];
} {
  let most = 0;
  for (let bucket = 0; bucket < gramBuckets; bucket++)
    if (vocabulary.idf[bucket] !== 0) most = Math.max(most, Math.abs(linear.weight[bucket]!));
  const weightStep = most === 0 ? 1 : most / 32767;
  const { count } = topics;
  const steps = topics.names.map((_, k) => topicStep(topics.weight, vocabulary.idf, count, k));
  return {
    idfStep: vocabulary.idfStep,
    weightStep,
    topics: topics.names.map((name, k) => ({ name, step: steps[k]!, bias: topics.bias[k]! })),
    tables: {
      idf: vocabulary.idf,
      weight: Int16Array.from(linear.weight, (value, bucket) => (vocabulary.idf[bucket] === 0 ? 0 : Math.round(value / weightStep))),
      topic: Int8Array.from(topics.weight, (value, at) =>
        vocabulary.idf[Math.floor(at / count)] === 0 ? 0 : Math.round(value / steps[at % count]!),
      ),
      known: vocabulary.known.slice(0, wordBits / 8),
      feature: forest?.feature ?? new Uint8Array(0),
      threshold: forest?.threshold ?? new Float32Array(0),
      value: forest?.value ?? new Float32Array(0),
    },
  };
}

/** Step size of a topic's 8-bit weights: the largest weight has to fit, because the most informative words have the largest ones. */
function topicStep(weight: Float64Array, idf: Uint8Array, count: number, k: number): number {
  let most = 0;
  for (let bucket = 0; bucket < gramBuckets; bucket++) if (idf[bucket] !== 0) most = Math.max(most, Math.abs(weight[bucket * count + k]!));
  return most === 0 ? 1 : most / 127;
}
