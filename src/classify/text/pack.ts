import { head, outputs, textFields, textTasks, type TextTask } from './heads.ts';
import type { ScoreCurve, TextModelCard, TextModelHeader, TextModelTables } from './model.ts';
import type { TextWeights } from './train.ts';

/** Steps per unit of an inverse document frequency. */
const idfSteps = 16;

/** Maximum number of rows of a model: keeps its file under 3 MB. */
const mostRows = 136_000;

/**
 * Steps from 0 to the largest weight. The level's are finest, since it alone moves most scores; those of tasks and fields leave 997 and 991
 * of 1,000 prompts the same task and domain, and the file room for more rows, which the level needs more.
 */
const mostSteps = { level: 127, task: 50, field: 40, other: 63 };

/** How much more a row's level weight counts than its weight for another output: one of 27, it alone moves most scores. */
const levelWorth = 12;

/**
 * Quantises weights to integers of one byte, with a step per output, rows in ascending order of their hashes. Keeps only the rows that
 * matter most.
 */
function packWeights(
  { rows, weights, idf, counts }: TextWeights,
  most: number = mostRows,
): { readonly tables: TextModelTables; readonly steps: number[] } {
  const steps = Array.from({ length: outputs }, (_, k) => stepOf(weights, k));
  const packed = Int8Array.from(weights, (weight, at) => {
    const limit = stepsOf(at % outputs);
    return Math.max(-limit, Math.min(limit, Math.round(weight / steps[at % outputs]!)));
  });
  const byWorth = [...rows].map(([hash, row]) => [hash, row, worthOf(packed, row) * counts[row]!] as const);
  byWorth.sort((a, b) => b[2] - a[2] || a[0] - b[0]);
  const kept = byWorth.slice(0, most).sort(([a], [b]) => a - b);
  const tables = { hashes: new Uint32Array(kept.length), idf: new Uint8Array(kept.length), weights: new Int8Array(kept.length * outputs) };
  for (const [at, [hash, row]] of kept.entries()) {
    tables.hashes[at] = hash;
    tables.idf[at] = Math.max(1, Math.min(255, Math.round(idf[row]! * idfSteps)));
    tables.weights.set(packed.subarray(row * outputs, (row + 1) * outputs), at * outputs);
  }
  return { tables, steps };
}

/** How far a row moves all outputs, in steps. */
function worthOf(packed: Int8Array, row: number): number {
  let sum = 0;
  for (let k = 0; k < outputs; k++) sum += (k === head.level ? levelWorth : 1) * packed[row * outputs + k]! ** 2;
  return sum;
}

function stepsOf(output: number): number {
  if (output === head.level) return mostSteps.level;
  if (output < head.field) return mostSteps.task;
  return output < head.level ? mostSteps.field : mostSteps.other;
}

/** Clips one weight in ten thousand, so that the others are not quantised too coarsely. */
function stepOf(weights: Float32Array, output: number): number {
  const sizes = new Float32Array(weights.length / outputs);
  for (let row = 0; row < sizes.length; row++) sizes[row] = Math.abs(weights[row * outputs + output]!);
  sizes.sort();
  return Math.max(1e-6, sizes[Math.floor((sizes.length - 1) * 0.9999)]! / stepsOf(output));
}

/** Out-of-fold outputs of a row, and its labels. */
export interface Judged {
  readonly z: Float64Array;
  readonly task: number | null;
  /** 1 to 5. */
  readonly level: number | null;
  /** 0 to 2. */
  readonly tier: number | null;
  /** Whether the row belongs to each field. */
  readonly fields: readonly boolean[] | null;
}

/** The temperature of a head whose probabilities fit the out-of-fold data best: the lowest loss of those tried. */
export function temperatures(judged: readonly Judged[]): TextModelHeader['temperature'] {
  const tried = Array.from({ length: 25 }, (_, i) => 0.4 * 1.1 ** i);
  const least = (loss: (row: Judged, temperature: number) => number): number =>
    tried
      .map((t) => [judged.reduce((sum, row) => sum + loss(row, t), 0), t] as const)
      .reduce((best, one) => (one[0] < best[0] ? one : best))[1];
  return {
    task: least(({ z, task }, t) => (task === null ? 0 : surprise(z, head.task, textTasks.length, task, t))),
    tier: least(({ z, tier }, t) => (tier === null ? 0 : surprise(z, head.tier, 3, tier, t))),
    field: least(({ z, fields }, t) =>
      fields === null
        ? 0
        : textFields.reduce((sum, _, k) => sum + Math.log1p(Math.exp((fields[k] === true ? -1 : 1) * (z[head.field + k]! / t))), 0),
    ),
  };
}

function surprise(z: Float64Array, from: number, count: number, truth: number, temperature: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += Math.exp((z[from + k]! - z[from + truth]!) / temperature);
  return Math.log(sum);
}

/** What the odds of tasks add to the task outputs, in the order of textTasks; the outputs are divided by `temperature` afterwards. */
export function taskBiases(odds: TaskOdds['of'], temperature: number): number[] {
  return textTasks.map((task) => temperature * Math.log(odds[task] ?? 1));
}

/** How much more often (below 1: less often) people send a task than the training rows contain it: its odds change by this factor. */
export interface TaskOdds {
  /** Languages of the prompts for which that is known; primary tags. */
  readonly languages: readonly string[];
  /** How much of it, on the scale of logarithms, is assumed for other languages: 0 to 1. */
  readonly elsewhere: number;
  readonly of: Readonly<Partial<Record<TextTask, number>>>;
}

export interface PackOptions {
  readonly odds: TaskOdds;
  readonly temperature: TextModelHeader['temperature'];
  readonly score: ScoreCurve;
  readonly card: TextModelCard;
}

/** The header and tables of a model file. */
export function packModel(
  trained: TextWeights,
  { odds: { languages, elsewhere, of }, temperature, score, card }: PackOptions,
): { readonly header: TextModelHeader; readonly tables: TextModelTables } {
  const { tables, steps } = packWeights(trained);
  const more = taskBiases(of, temperature.task);
  const round = (value: number): number => Number(value.toPrecision(6));
  return {
    header: {
      format: 3,
      tasks: textTasks,
      fields: textFields,
      rows: tables.hashes.length,
      steps: steps.map(round),
      bias: [...trained.bias].map(round),
      odds: { languages, elsewhere, add: more.map(round) },
      kindScale: trained.kindScale,
      temperature: { task: round(temperature.task), field: round(temperature.field), tier: round(temperature.tier) },
      score,
      card,
    },
    tables,
  };
}
