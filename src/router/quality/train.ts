import { gramBuckets } from '../model/grams.ts';
import { linearsAt, ridges, type Linears } from '../training/linear.ts';
import { featureMatrix, tfidf, vocabulary, type FeatureMatrix } from '../training/matrix.ts';
import { seeded, shuffled } from '../training/random.ts';
import type { OutcomeData, OutcomeRow } from './outcomes.ts';
import { encodeQuality } from './file.ts';
import type { QualityHeader } from './types.ts';

export interface QualityTraining {
  readonly name: string;
  readonly trainedWith: string;
  readonly seed: number;
  readonly folds: number;
  /** Most factors. */
  readonly factors?: number;
  /** Ridge penalty. */
  readonly penalty?: number;
  /** Prompts of other kinds of work without known outcomes; similar prompts count as unknown. */
  readonly background?: readonly string[];
}

const defaultFactors = 4;
const defaultPenalty = 1;
/** Kinds with fewer rows are merged into `other`. */
const leastRows = 30;
const mostKinds = 40;
/**
 * Share of held-out rows whose certainty lies below the point where a prompt counts as fully known; and share of background prompts above
 * the point where a prompt begins to count as known.
 */
const knownQuantile = 0.1;
const foreignQuantile = 0.02;

/** A fit on a subset of the rows. */
interface Fit {
  /** Mean score by kind, then model. */
  readonly means: readonly Float64Array[];
  /** Directions by factor, then model. */
  readonly factors: readonly Float64Array[];
  readonly linears: Linears;
  readonly idf: Uint8Array;
  readonly idfStep: number;
}

interface Prepared {
  readonly matrix: FeatureMatrix;
  readonly kinds: readonly string[];
  /** -1 for a background prompt; these come last. */
  readonly kindOf: Int32Array;
  /** Scores by row, then model; none for the background. */
  readonly scores: readonly Float64Array[];
}

/** Trains a quality model on rows of several models' outcomes; returns the file's bytes and its header. Deterministic. */
export function trainQuality(
  { rows, models, sha256 }: OutcomeData,
  options: QualityTraining,
): { readonly bytes: Buffer; readonly header: QualityHeader } {
  const prepared = prepare(rows, models, options.background ?? []);
  const { kinds, kindOf, scores } = prepared;
  const fit = fitOn(prepared, Int32Array.from(prepared.kindOf.keys()), options);
  const { slopes, certainties, foreign, explained } = crossValidate(prepared, options);
  const size = kinds.length + fit.factors.length;
  const packed = quantised(fit.linears, size);
  const counts = kinds.map((_, kind) => kindOf.reduce((sum, one) => sum + (one === kind ? 1 : 0), 0));
  const knownAbove = quantile(certainties, knownQuantile) ?? 0.5;
  const unknownBelow = Math.min(knownAbove - 0.05, quantile(foreign, 1 - foreignQuantile) ?? knownAbove / 2);
  const header: QualityHeader = {
    format: 1,
    idfStep: fit.idfStep,
    kinds: kinds.map((name, kind) => ({ name, rows: counts[kind]! })),
    functions: packed.functions,
    models: models.map((name, model) => ({
      name,
      means: fit.means.map((means) => round(means[model]!)),
      loadings: fit.factors.map((factor, k) => round(slopes[k]! * factor[model]!)),
      tokens: tokensOf(rows, kindOf, kinds.length, name),
    })),
    apart: kinds.map((_, kind) => apartOf(scores, kindOf, kind, models.length)),
    unknownBelow: round(unknownBelow),
    knownAbove: round(knownAbove),
    card: {
      name: options.name,
      trainedWith: options.trainedWith,
      rows: rows.length,
      dataSha256: sha256,
      sources: sourcesOf(rows),
      explained: round(explained),
      limits: [
        'Means of public rows: templates of an app differ. Grades of its own answers take their place.',
        'Prompts unlike the rows, and models that are not among these, are taken to lose until grades say otherwise.',
      ],
    },
  };
  return { bytes: encodeQuality(header, { idf: fit.idf, weight: packed.weight }), header };
}

function prepare(rows: readonly OutcomeRow[], models: readonly string[], background: readonly string[]): Prepared {
  const counts = new Map<string, number>();
  for (const { kind } of rows) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const large = [...counts]
    .filter(([, count]) => count >= leastRows)
    .sort((a, b) => b[1] - a[1])
    .slice(0, mostKinds)
    .map(([name]) => name)
    .sort();
  const kinds = large.length === counts.size ? large : [...large, 'other'];
  const kindOf = Int32Array.from([
    ...rows.map(({ kind }) => (large.includes(kind) ? large.indexOf(kind) : kinds.length - 1)),
    ...background.map(() => -1),
  ]);
  return {
    matrix: featureMatrix([...rows.map(({ prompt }) => prompt), ...background]),
    kinds,
    kindOf,
    scores: rows.map(({ scores }) => Float64Array.from(models, (model) => scores.get(model)!)),
  };
}

function fitOn(
  { matrix, kinds, kindOf, scores }: Prepared,
  rows: Int32Array,
  { factors: most = defaultFactors, penalty = defaultPenalty }: QualityTraining,
): Fit {
  const count = scores[0]!.length;
  const means = kinds.map(() => new Float64Array(count));
  const sizes = new Float64Array(kinds.length);
  const scored = rows.filter((row) => kindOf[row] !== -1);
  for (const row of scored) {
    sizes[kindOf[row]!]!++;
    for (let m = 0; m < count; m++) means[kindOf[row]!]![m]! += scores[row]![m]!;
  }
  for (const [kind, mean] of means.entries()) for (let m = 0; m < count; m++) mean[m]! /= Math.max(1, sizes[kind]!);
  const residual = (row: number, m: number): number => scores[row]![m]! - means[kindOf[row]!]![m]!;
  const factors = principal(scored, count, residual, Math.min(most, count));
  const vocab = vocabulary(matrix, rows);
  const values = tfidf(matrix, vocab);
  const targets = [
    ...kinds.map((_, kind) => Float64Array.from(kindOf, (one) => (one === kind ? 1 : 0))),
    // The difficulty of the background is unknown, so it enters the training of the factors only as zero.
    ...factors.map((factor) =>
      Float64Array.from(kindOf, (kind, row) => (kind === -1 ? 0 : factor.reduce((sum, loading, m) => sum + loading * residual(row, m), 0))),
    ),
  ];
  return { means, factors, linears: ridges(matrix, values, rows, targets, penalty), idf: vocab.idf, idfStep: vocab.idfStep };
}

/** Directions in which the scores of rows of one kind differ most: eigenvectors of their covariance, by power iteration with deflation. */
function principal(rows: Int32Array, count: number, residual: (row: number, model: number) => number, most: number): Float64Array[] {
  const covariance = Array.from({ length: count }, () => new Float64Array(count));
  for (const row of rows)
    for (let a = 0; a < count; a++) for (let b = 0; b < count; b++) covariance[a]![b]! += residual(row, a) * residual(row, b);
  const found: Float64Array[] = [];
  const random = seeded(7);
  for (let k = 0; k < most; k++) {
    let vector = Float64Array.from({ length: count }, () => random() - 0.5);
    for (let step = 0; step < 200; step++) {
      const next = new Float64Array(count);
      for (let a = 0; a < count; a++) for (let b = 0; b < count; b++) next[a]! += covariance[a]![b]! * vector[b]!;
      for (const before of found) {
        const along = before.reduce((sum, value, m) => sum + value * next[m]!, 0);
        for (let m = 0; m < count; m++) next[m]! -= along * before[m]!;
      }
      const length = Math.hypot(...next) || 1;
      vector = next.map((value) => value / length);
    }
    found.push(vector);
  }
  return found;
}

/** Results on held-out rows: the weight of each factor, the certainty of kinds, and the explained share of the variance within a kind. */
function crossValidate(
  prepared: Prepared,
  options: QualityTraining,
): {
  readonly slopes: readonly number[];
  readonly certainties: readonly number[];
  readonly foreign: readonly number[];
  readonly explained: number;
} {
  const { matrix, kinds, kindOf, scores } = prepared;
  const order = shuffled([...kindOf.keys()], seeded(options.seed));
  const count = scores[0]!.length;
  const factors = Math.min(options.factors ?? defaultFactors, count);
  const xy = new Float64Array(factors);
  const xx = new Float64Array(factors);
  const certainties: number[] = [];
  const foreign: number[] = [];
  const left: { readonly row: number; readonly fit: Fit; readonly out: Float64Array }[] = [];
  for (let fold = 0; fold < options.folds; fold++) {
    const fit = fitOn(prepared, Int32Array.from(order.filter((_, at) => at % options.folds !== fold)), options);
    const values = tfidf(matrix, { idf: fit.idf, idfStep: fit.idfStep, known: new Uint8Array(0) });
    for (const [at, row] of order.entries()) {
      if (at % options.folds !== fold) continue;
      const out = new Float64Array(fit.linears.count);
      linearsAt(fit.linears, matrix, values, row, out);
      const certainty = Math.max(...out.subarray(0, kinds.length));
      if (kindOf[row] === -1) {
        foreign.push(certainty);
        continue;
      }
      certainties.push(certainty);
      left.push({ row, fit, out });
      for (let k = 0; k < factors; k++) {
        const truth = fit.factors[k]!.reduce((sum, loading, m) => sum + loading * (scores[row]![m]! - fit.means[kindOf[row]!]![m]!), 0);
        xy[k]! += truth * out[kinds.length + k]!;
        xx[k]! += out[kinds.length + k]! ** 2;
      }
    }
  }
  const slopes = Array.from(xy, (value, k) => (xx[k]! === 0 ? 0 : Math.min(1, Math.max(0, value / xx[k]!))));
  let before = 0;
  let after = 0;
  for (const { row, fit, out } of left) {
    for (let m = 0; m < count; m++) {
      const residual = scores[row]![m]! - fit.means[kindOf[row]!]![m]!;
      const said = slopes.reduce((sum, slope, k) => sum + slope * out[kinds.length + k]! * fit.factors[k]![m]!, 0);
      before += residual ** 2;
      after += (residual - said) ** 2;
    }
  }
  return { slopes, certainties, foreign, explained: before === 0 ? 0 : 1 - after / before };
}

/** Weights in 8-bit integer steps per function. */
function quantised(
  { count, weight, bias }: Linears,
  size: number,
): { readonly weight: Int8Array; readonly functions: { readonly step: number; readonly bias: number }[] } {
  const most = new Float64Array(count);
  for (let i = 0; i < weight.length; i++) most[i % count] = Math.max(most[i % count]!, Math.abs(weight[i]!));
  const packed = new Int8Array(gramBuckets * size);
  for (let i = 0; i < weight.length; i++) packed[i] = most[i % count] === 0 ? 0 : Math.round((weight[i]! / most[i % count]!) * 127);
  return { weight: packed, functions: Array.from(most, (value, k) => ({ step: value / 127, bias: bias[k]! })) };
}

/** Mean output tokens of a model by kind; null if the rows do not say. */
function tokensOf(rows: readonly OutcomeRow[], kindOf: Int32Array, kinds: number, model: string): number[] | null {
  const sums = new Float64Array(kinds);
  const counts = new Float64Array(kinds);
  for (const [row, { outputTokens }] of rows.entries()) {
    const tokens = outputTokens.get(model);
    if (tokens === undefined) return null;
    sums[kindOf[row]!]! += tokens;
    counts[kindOf[row]!]!++;
  }
  return Array.from(sums, (sum, kind) => Math.round(sum / Math.max(1, counts[kind]!)));
}

function apartOf(scores: readonly Float64Array[], kindOf: Int32Array, kind: number, count: number): number[] {
  const list: number[] = [];
  const rows = [...kindOf.keys()].filter((row) => kindOf[row] === kind);
  for (let a = 1; a < count; a++)
    for (let b = 0; b < a; b++)
      list.push(round(rows.reduce((sum, row) => sum + (scores[row]![a]! - scores[row]![b]!) ** 2, 0) / Math.max(1, rows.length)));
  return list;
}

function sourcesOf(rows: readonly OutcomeRow[]): { source: string; rows: number; licence: string }[] {
  const sources = new Map<string, { source: string; rows: number; licence: string }>();
  for (const { source, licence } of rows) {
    const one = sources.get(source) ?? { source, rows: 0, licence };
    one.rows++;
    sources.set(source, one);
  }
  return [...sources.values()];
}

function quantile(values: readonly number[], share: number): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))];
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
