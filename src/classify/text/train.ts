import { kind, lettersOf, mostSpelt, PromptGrams } from './grams.ts';
import { head, outputs, textFields, textTasks } from './heads.ts';
import { exampleOf, type Example, type Hashed, type HeadOptions, type TextRow, type TrainOptions } from './example.ts';
import { ridgeLevel } from './ridge.ts';
import { zone } from './scan.ts';
import type { WordVectors } from './vectors.ts';

const kindScale = [3.5, 1, 1.5, 1.5, 2, 2.5, 2.5];
const dropout = 0.3;
const together = { epochs: 10, rate: 0.15, decay: 1e-5, dropout, kindScale, rarity: 1 };

/**
 * What a prompt is about shows in its material and in rare words, what it asks for does not. So the fields have scales of their own, and
 * stop sooner.
 */
const defaultTraining: TrainOptions = {
  groups: [
    { ...together, from: head.task, to: head.field },
    {
      from: head.field,
      to: head.level,
      epochs: 8,
      rate: 0.075,
      decay: 5e-5,
      dropout: 0.2,
      kindScale: [2.6, 2, 2, 4, 0.8, 1.5, 1.6],
      rarity: 1.5,
    },
    { ...together, from: head.tier, to: outputs },
  ],
  runs: 4,
  least: 2,
  most: 119_000,
  kindScale,
  tierWeight: 1,
  balance: 0.5,
  ridge: { pull: 2.5, kindScale: [1, 1.4, 0.2, 0.12, 0.5, 0.5, 0.3] },
};

/** Weights before they are packed: a row of `outputs` numbers per n-gram, then the biases. */
export interface TextWeights {
  readonly rows: ReadonlyMap<number, number>;
  /** Inverse document frequency of each row, with mean 1. */
  readonly idf: Float32Array;
  /** Number of prompts that contain each row's n-gram; small for words that only the word vectors know. */
  readonly counts: Uint32Array;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  /** Mean level of the rows; the level's output is the distance from it. */
  readonly meanLevel: number;
  readonly kindScale: readonly number[];
}

/** Deterministic pseudo-random numbers (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function hashRows(rows: readonly Pick<TextRow, 'prompt' | 'system'>[], vectors: WordVectors | null = null): Hashed[] {
  const grams = new PromptGrams();
  return rows.map(({ prompt, system }) => {
    grams.read(prompt, system);
    const { words, zones } = grams.text;
    const letters = lettersIn(grams);
    const places = vectors === null ? [] : words.filter((_, at) => zones[at] === zone.ask).map((word) => vectors.placeOf.get(word) ?? -1);
    return {
      hashes: Uint32Array.from([...grams.hashes.subarray(0, grams.size), ...letters]),
      kinds: Uint8Array.from([...grams.kinds.subarray(0, grams.size), ...letters.map(() => kind.letters)]),
      counts: grams.counts.slice(),
      words: Int32Array.from(new Set(places.filter((place) => place !== -1))),
    };
  });
}

/** Hashes of the character n-grams of a prompt's words; repeated if several words share one. */
function lettersIn({ text, spelt, speltCount }: PromptGrams): number[] {
  const out = new Uint32Array(3 * (mostSpelt + 2));
  return [...spelt.subarray(0, speltCount)].flatMap((at) => [...out.subarray(0, lettersOf(text.words[at]!, out))]);
}

/** n-grams that occur in enough rows, each with its index and its inverse document frequency. */
function vocabulary(
  hashed: readonly Hashed[],
  { least, most }: TrainOptions,
): { rows: Map<number, number>; idf: Float32Array; counts: Uint32Array } {
  const seen = new Map<number, number>();
  for (const { hashes } of hashed) for (const hash of new Set(hashes)) seen.set(hash, (seen.get(hash) ?? 0) + 1);
  const kept = [...seen]
    .filter(([, count]) => count >= least)
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, most);
  const idf = new Float32Array(kept.length);
  kept.forEach(([, count], at) => (idf[at] = Math.log((1 + hashed.length) / (1 + count)) + 1));
  const scale = idf.reduce((sum, value) => sum + value, 0) / idf.length;
  for (let at = 0; at < idf.length; at++) idf[at]! /= scale;
  return { rows: new Map(kept.map(([hash], at) => [hash, at])), idf, counts: Uint32Array.from(kept, ([, count]) => count) };
}

/**
 * Trains each group of heads by AdaGrad on its own losses, in several runs whose weights are averaged: outputs are linear in the weights, so
 * the average judges as all runs together, and depends less on the order of the rows. Deterministic: the same rows and options give the same
 * weights.
 */
export function trainText(rows: readonly TextRow[], hashed: readonly Hashed[], options: TrainOptions = defaultTraining): TextWeights {
  const { rows: places, idf, counts } = vocabulary(hashed, options);
  const weights = new Float32Array(places.size * outputs);
  const bias = new Float32Array(outputs);
  const kindOf = kindsOf(hashed);
  const taskWeight = balance(rows, options.balance);
  for (const group of options.groups) {
    const rarity = powerOf(idf, group.rarity);
    const examples = rows.map((row, i) => exampleOf(hashed[i]!, row, places, rarity, group.kindScale));
    for (let run = 0; run < options.runs; run++) {
      const one = descend({ examples, taskWeight, size: places.size, options, group, seed: firstSeed + run });
      for (const [hash, place] of places) {
        const kind = kindOf.get(hash)!;
        const scale = (rarity[place]! * group.kindScale[kind]!) / options.kindScale[kind]! / options.runs;
        for (let k = group.from; k < group.to; k++) weights[place * outputs + k]! += scale * one.weights[place * outputs + k]!;
      }
      for (let k = group.from; k < group.to; k++) bias[k]! += one.bias[k]! / options.runs;
    }
  }
  const meanLevel = ridgeLevel({ rows, hashed, places, idf, options, weights, kindOf });
  return { rows: places, idf, counts, weights, bias, meanLevel, kindScale: options.kindScale };
}

const firstSeed = 7;

/** The kind of each n-gram. */
function kindsOf(hashed: readonly Hashed[]): ReadonlyMap<number, number> {
  const kindOf = new Map<number, number>();
  for (const { hashes, kinds } of hashed) hashes.forEach((hash, i) => kindOf.set(hash, kinds[i]!));
  return kindOf;
}

/** Values to a power, scaled to a mean of 1. */
function powerOf(values: Float32Array, power: number): Float32Array {
  const out = values.map((value) => value ** power);
  const mean = out.reduce((sum, value) => sum + value, 0) / out.length;
  return out.map((value) => value / mean);
}

interface Descent {
  readonly examples: readonly Example[];
  readonly taskWeight: readonly number[];
  /** Number of n-grams. */
  readonly size: number;
  readonly options: TrainOptions;
  readonly group: HeadOptions;
  /** Of the order of the rows and of what is dropped. */
  readonly seed: number;
}

/** One run of a group of heads over all its epochs. */
function descend({ examples, taskWeight, size, options, group, seed }: Descent): {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
} {
  const { from, to, dropout } = group;
  const weights = new Float32Array(size * outputs);
  const squares = new Float32Array(size * outputs).fill(1e-3);
  const bias = new Float32Array(outputs);
  const random = randomOf(seed);
  const order = examples.map((_, i) => i);
  const z = new Float64Array(outputs);
  const gradient = new Float64Array(outputs);
  for (let epoch = 0; epoch < group.epochs; epoch++) {
    shuffle(order, random);
    const rate = group.rate * (1 - epoch / group.epochs) + 0.01;
    for (const i of order) {
      const { at, x, row } = examples[i]!;
      const keep = new Uint8Array(at.length);
      z.set(bias);
      for (let j = 0; j < at.length; j++) {
        if (random() < dropout) continue;
        keep[j] = 1;
        const value = x[j]! / (1 - dropout);
        const base = at[j]! * outputs;
        for (let k = from; k < to; k++) z[k]! += value * weights[base + k]!;
      }
      gradients(z, row, gradient, options);
      if (row.task !== null) for (let k = 0; k < textTasks.length; k++) gradient[k]! *= taskWeight[textTasks.indexOf(row.task)]!;
      for (let k = from; k < to; k++) bias[k]! -= 0.02 * rate * gradient[k]!;
      for (let j = 0; j < at.length; j++) {
        if (keep[j] === 0) continue;
        const value = x[j]! / (1 - dropout);
        const base = at[j]! * outputs;
        for (let k = from; k < to; k++) {
          if (gradient[k] === 0) continue;
          const g = gradient[k]! * value + group.decay * weights[base + k]!;
          squares[base + k]! += g * g;
          weights[base + k]! -= (rate * g) / Math.sqrt(squares[base + k]!);
        }
      }
    }
  }
  return { weights, bias };
}

function balance(rows: readonly TextRow[], power: number): number[] {
  const counts = textTasks.map((task) => rows.reduce((sum, row) => sum + (row.task === task ? 1 : 0), 0));
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.map((count) => (count === 0 ? 1 : (mean / count) ** power));
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Gradient of each head's loss at the outputs `z`. */
function gradients(z: Float64Array, row: TextRow, out: Float64Array, { tierWeight }: TrainOptions): void {
  out.fill(0);
  if (row.task !== null) softmaxGradient(z, head.task, textTasks.length, textTasks.indexOf(row.task), row.weight, out);
  if (row.fields !== null)
    for (let k = 0; k < textFields.length; k++)
      out[head.field + k] = row.weight * (sigmoid(z[head.field + k]!) - (row.fields.includes(textFields[k]!) ? 1 : 0));
  if (row.tier !== null) softmaxGradient(z, head.tier, 3, row.tier, tierWeight * row.weight, out);
  out[head.house] = row.weight * (sigmoid(z[head.house]!) - (row.house === true ? 1 : 0));
}

function softmaxGradient(z: Float64Array, from: number, count: number, truth: number, weight: number, out: Float64Array): void {
  let most = -Infinity;
  for (let k = 0; k < count; k++) most = Math.max(most, z[from + k]!);
  let sum = 0;
  for (let k = 0; k < count; k++) sum += out[from + k] = Math.exp(z[from + k]! - most);
  for (let k = 0; k < count; k++) out[from + k] = weight * (out[from + k]! / sum - (k === truth ? 1 : 0));
}

function shuffle(order: number[], random: () => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
}

/** The outputs of unpacked weights for one row's n-grams. */
export function outputsOf({ rows, weights, bias, kindScale }: TextWeights, { hashes, kinds, counts }: Hashed): Float64Array {
  const z = Float64Array.from(bias);
  for (let i = 0; i < hashes.length; i++) {
    const place = rows.get(hashes[i]!);
    if (place === undefined) continue;
    const value = kindScale[kinds[i]!]! / Math.sqrt(counts[kinds[i]!]!);
    for (let k = 0; k < outputs; k++) z[k]! += value * weights[place * outputs + k]!;
  }
  return z;
}
