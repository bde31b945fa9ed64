import { head, levels, outputs, textFields, textTasks } from '../text/heads.ts';
import { randomOf } from '../text/train.ts';

/** A labelled prompt that did not train the text model whose outputs it has. */
export interface HeadRow {
  readonly vector: Float32Array;
  /** Outputs of the text model. */
  readonly z: ArrayLike<number>;
  /** Index of the task, and of the tier; null if unlabelled. */
  readonly task: number;
  readonly fields: readonly boolean[];
  readonly level: number | null;
  readonly tier: number | null;
}

/** How heads are trained. */
export interface HeadOptions {
  /** The text model's temperatures: probabilities are made of outputs divided by them. */
  readonly temperature: { readonly task: number; readonly field: number; readonly tier: number };
  /** Mean level of the prompts, and what one step of the level's output means. */
  readonly meanLevel: number;
  readonly epochs: number;
  readonly rate: number;
  readonly decay: number;
}

/** What a vector adds: see HeadsDocument. */
export interface TrainedHeads {
  readonly middle: Float64Array;
  readonly keep: Float64Array;
  readonly bias: Float64Array;
  /** A row per output. */
  readonly rows: readonly Float64Array[];
}

/** Outputs that vectors change: all but the one that recognises the wording of the public set of tiers. */
const changed = head.house;

/** Middle and spread of each number of the vectors. */
function spreadOf(rows: readonly HeadRow[], width: number): { readonly middle: Float64Array; readonly spread: Float64Array } {
  const middle = new Float64Array(width);
  const spread = new Float64Array(width);
  for (const { vector } of rows) for (let i = 0; i < width; i++) middle[i]! += vector[i]! / rows.length;
  for (const { vector } of rows) for (let i = 0; i < width; i++) spread[i]! += (vector[i]! - middle[i]!) ** 2 / rows.length;
  return { middle, spread: spread.map((value) => Math.sqrt(value) + 1e-9) };
}

/**
 * Trains heads on prompts left out of the text model's training: its outputs on prompts that it knows would look surer than they are on new
 * ones. AdaGrad on each head's own loss. Deterministic.
 */
export function trainHeads(rows: readonly HeadRow[], options: HeadOptions): TrainedHeads {
  const width = rows[0]!.vector.length;
  const { middle, spread } = spreadOf(rows, width);
  const size = width + 2;
  const weights = new Float64Array(changed * size);
  for (let k = 0; k < changed; k++) weights[k * size + width] = 1;
  const squares = new Float64Array(changed * size).fill(1e-2);
  const x = rows.map(({ vector }) => Float32Array.from(vector, (value, i) => (value - middle[i]!) / spread[i]!));
  const out = new Float64Array(changed);
  const gradient = new Float64Array(changed);
  const random = randomOf(17);
  const order = rows.map((_, at) => at);
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    const rate = options.rate * (1 - epoch / options.epochs) + options.rate / 20;
    for (const at of order) {
      const row = rows[at]!;
      const own = x[at]!;
      for (let k = 0; k < changed; k++) {
        const base = k * size;
        let sum = weights[base + width]! * row.z[k]! + weights[base + width + 1]!;
        for (let i = 0; i < width; i++) sum += weights[base + i]! * own[i]!;
        out[k] = sum;
      }
      gradients(out, row, options, gradient);
      for (let k = 0; k < changed; k++) {
        const g = gradient[k]!;
        if (g === 0) continue;
        const base = k * size;
        for (let i = 0; i < size; i++) {
          const value = i < width ? own[i]! : i === width ? row.z[k]! : 1;
          const step = g * value + (i < width ? options.decay * weights[base + i]! : 0);
          squares[base + i]! += step * step;
          weights[base + i]! -= (rate * step) / Math.sqrt(squares[base + i]!);
        }
      }
    }
  }
  const of = (k: number, i: number, otherwise: number): number => (k < changed ? weights[k * size + i]! : otherwise);
  return {
    middle,
    keep: Float64Array.from({ length: outputs }, (_, k) => of(k, width, 1)),
    bias: Float64Array.from({ length: outputs }, (_, k) => of(k, width + 1, 0)),
    rows: Array.from({ length: outputs }, (_, k) => Float64Array.from({ length: width }, (_, i) => of(k, i, 0) / spread[i]!)),
  };
}

/** Gradient of each head's loss at the outputs. */
function gradients(out: Float64Array, row: HeadRow, { temperature, meanLevel }: HeadOptions, gradient: Float64Array): void {
  gradient.fill(0);
  softmaxGradient({ out, from: head.task, count: textTasks.length, temperature: temperature.task }, row.task, gradient);
  for (let k = 0; k < textFields.length; k++)
    gradient[head.field + k] = 1 / (1 + Math.exp(-out[head.field + k]! / temperature.field)) - (row.fields[k] === true ? 1 : 0);
  if (row.level !== null) gradient[head.level] = (out[head.level]! - (row.level - meanLevel)) / (levels - 1);
  if (row.tier !== null) softmaxGradient({ out, from: head.tier, count: 3, temperature: temperature.tier }, row.tier, gradient);
}

interface Head {
  readonly out: Float64Array;
  readonly from: number;
  readonly count: number;
  readonly temperature: number;
}

function softmaxGradient({ out, from, count, temperature }: Head, truth: number, gradient: Float64Array): void {
  let most = -Infinity;
  for (let k = 0; k < count; k++) most = Math.max(most, out[from + k]!);
  let sum = 0;
  for (let k = 0; k < count; k++) sum += gradient[from + k] = Math.exp((out[from + k]! - most) / temperature);
  for (let k = 0; k < count; k++) gradient[from + k] = gradient[from + k]! / sum - (k === truth ? 1 : 0);
}

/** The text model's outputs for a prompt, with its vector. */
export function joinedOutputs({ middle, keep, bias, rows }: TrainedHeads, { z, vector }: Pick<HeadRow, 'z' | 'vector'>): Float64Array {
  return Float64Array.from({ length: outputs }, (_, k) => {
    let sum = keep[k]! * z[k]! + bias[k]!;
    const row = rows[k]!;
    for (let i = 0; i < vector.length; i++) sum += row[i]! * (vector[i]! - middle[i]!);
    return sum;
  });
}
