import { head, levels, outputs, textFields, textTasks, type TextField, type TextTask } from './heads.ts';
import { kind, kinds, PromptGrams } from './grams.ts';

/** What a model file says beside its weights. */
export interface TextModelHeader {
  readonly format: 1;
  readonly tasks: readonly string[];
  readonly fields: readonly string[];
  /** n-grams that have weights. */
  readonly rows: number;
  /** What a whole-numbered weight of each output stands for. */
  readonly steps: readonly number[];
  readonly bias: readonly number[];
  /** Weight of each kind of n-gram. */
  readonly kindScale: readonly number[];
  /** Divides a head's outputs before they become probabilities. */
  readonly temperature: { readonly task: number; readonly field: number; readonly tier: number };
  readonly score: ScoreCurve;
  readonly card: TextModelCard;
}

/**
 * How the score comes about. The level's output becomes a level, 1 to 5, by `mean` and `slope`. The more sure the tier's head is, the more of the score is
 * the expected tier and the less is the level. Routine tasks take away from it. The sum goes through a curve of straight pieces, so that the default
 * thresholds stand where the cuts between tiers are best.
 */
export interface ScoreCurve {
  readonly mean: number;
  readonly slope: number;
  /** What standard counts for, where simple is 0 and complex is 1. */
  readonly standard: number;
  /** Least share of the tier's head, and how steeply it rises with its probability. */
  readonly least: number;
  readonly power: number;
  /** What a routine task takes away at most, and the most that its score is, where the tier's head does not say complex. */
  readonly routine: number;
  readonly routineMost: number;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

export interface TextModelCard {
  readonly name: string;
  readonly trainedWith: string;
  readonly sources: readonly { readonly name: string; readonly rows: number; readonly licence: string }[];
  readonly measured: Readonly<Record<string, number>>;
  readonly limits: readonly string[];
}

/** Tables of a model: hashes in rising order, then for each its inverse document frequency (in sixteenths) and its weights. */
export interface TextModelTables {
  readonly hashes: Uint32Array;
  readonly idf: Uint8Array;
  readonly weights: Int8Array;
}

/** What the model says of one prompt. Valid until the next prompt is read. */
export interface TextVerdict {
  readonly task: TextTask;
  readonly field: TextField;
  /** In the order of textTasks; they sum to 1. */
  readonly tasks: Float64Array;
  /** In the order of textFields; each on its own, since a prompt may belong to several. */
  readonly fields: Float64Array;
  /** Expected level, 1 to 5. */
  readonly level: number;
  /** Probabilities of simple, standard, complex. */
  readonly tiers: Float64Array;
  /** 0 (simple) to 1 (complex). */
  readonly score: number;
  /** Share of the ask's words that the model has seen in training, 0 to 1. */
  readonly familiarity: number;
}

/** What examples of a team add to a head's outputs before they become probabilities. */
export type Nudge = (grams: PromptGrams, outputs: Float64Array) => void;

/** A trained text model. Deterministic; its time is linear in the part of a prompt that is read. */
export class TextModel {
  readonly header: TextModelHeader;
  readonly tables: TextModelTables;
  /** First half of the SHA-256 of the file, in hex. */
  readonly version: string;
  readonly grams = new PromptGrams();
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #sums = Array.from({ length: kinds }, () => new Int32Array(outputs));
  readonly #z = new Float64Array(outputs);
  readonly #tasks = new Float64Array(textTasks.length);
  readonly #fields = new Float64Array(textFields.length);
  readonly #tiers = new Float64Array(3);

  constructor(header: TextModelHeader, tables: TextModelTables, version: string) {
    this.header = header;
    this.tables = tables;
    this.version = version;
    const size = 2 ** Math.ceil(Math.log2(2.5 * header.rows + 2));
    this.#mask = size - 1;
    this.#slots = new Int32Array(size).fill(-1);
    for (let row = 0; row < header.rows; row++) {
      let at = tables.hashes[row]! & this.#mask;
      while (this.#slots[at] !== -1) at = (at + 1) & this.#mask;
      this.#slots[at] = row;
    }
  }

  /** The row of an n-gram's hash; -1: the model does not know it. */
  rowOf(hash: number): number {
    const { hashes } = this.tables;
    let at = hash & this.#mask;
    for (let row = this.#slots[at]!; row !== -1; row = this.#slots[(at = (at + 1) & this.#mask)]!) if (hashes[row] === hash) return row;
    return -1;
  }

  /** Judges a prompt: what the user asks, under a system prompt ('' without one). */
  read(user: string, system: string, nudge: Nudge | null = null): TextVerdict {
    const { grams } = this;
    grams.read(user, system);
    const known = this.#sum();
    const z = this.#z;
    const { steps, bias, kindScale, temperature, score: curve } = this.header;
    for (let k = 0; k < outputs; k++) {
      let value = 0;
      for (let of = 0; of < kindScale.length; of++) if (grams.counts[of]! > 0) value += (kindScale[of]! / Math.sqrt(grams.counts[of]!)) * this.#sums[of]![k]!;
      z[k] = bias[k]! + value * steps[k]!;
    }
    if (nudge !== null) nudge(grams, z);
    softmax(z, head.task, temperature.task, this.#tasks);
    softmax(z, head.tier, temperature.tier, this.#tiers);
    for (let k = 0; k < textFields.length; k++) this.#fields[k] = sigmoid(z[head.field + k]! / temperature.field);
    const level = levelOf(z[head.level]!, curve);
    const asked = grams.counts[kind.ask]!;
    return {
      task: textTasks[highest(this.#tasks)]!,
      field: textFields[highest(this.#fields)]!,
      tasks: this.#tasks,
      fields: this.#fields,
      level,
      tiers: this.#tiers,
      score: scoreOf(curve, level, this.#tiers, routineOf(this.#tasks)),
      familiarity: asked === 0 ? 0 : known / asked,
    };
  }

  /** Adds the weights of all n-grams that are known, by kind; how many of the ask's are. */
  #sum(): number {
    const { hashes, kinds, size } = this.grams;
    const { weights } = this.tables;
    for (const sum of this.#sums) sum.fill(0);
    let known = 0;
    for (let i = 0; i < size; i++) {
      const row = this.rowOf(hashes[i]!);
      if (row === -1) continue;
      const of = kinds[i]!;
      if (of === kind.ask) known++;
      const sum = this.#sums[of]!;
      const base = row * outputs;
      for (let k = 0; k < outputs; k++) sum[k]! += weights[base + k]!;
    }
    return known;
  }
}

/** Level, 1 to 5, that an output stands for. */
export function levelOf(output: number, { mean, slope }: Pick<ScoreCurve, 'mean' | 'slope'>): number {
  return Math.min(levels, Math.max(1, mean + slope * output));
}

/** Probability that the task is routine: given material is sorted, read out, translated, shortened or put in other words. They come first among the tasks. */
export function routineOf(tasks: ArrayLike<number>): number {
  return tasks[0]! + tasks[1]! + tasks[2]! + tasks[3]! + tasks[4]!;
}

/** The score, 0 to 1, of a level, the probabilities of the tiers, and the probability that the task is routine. */
export function scoreOf(curve: ScoreCurve, level: number, tiers: ArrayLike<number>, routine: number): number {
  return along(curve.from, curve.to, rawScore(curve, level, tiers, routine));
}

/** The same before the curve. */
export function rawScore({ standard, least, power, routine: away, routineMost }: Omit<ScoreCurve, 'from' | 'to'>, level: number, tiers: ArrayLike<number>, routine: number): number {
  const surest = Math.max(tiers[0]!, tiers[1]!, tiers[2]!);
  const sure = least + (1 - least) * Math.max(0, 1.5 * surest - 0.5) ** power;
  const plain = sure * (standard * tiers[1]! + tiers[2]!) + (1 - sure) * ((level - 1) / (levels - 1));
  const less = plain - away * Math.max(0, 2 * routine - 1) * (1 - tiers[2]!);
  return routine >= 0.5 && tiers[2]! < 0.6 ? Math.min(less, routineMost) : less;
}

/** The height at `x` of straight pieces between points; level beyond the first and the last. */
export function along(from: readonly number[], to: readonly number[], x: number): number {
  let at = 0;
  while (at < from.length && from[at]! < x) at++;
  if (at === 0) return to[0]!;
  if (at === from.length) return to[at - 1]!;
  const share = (x - from[at - 1]!) / (from[at]! - from[at - 1]!);
  return to[at - 1]! + share * (to[at]! - to[at - 1]!);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

function softmax(z: Float64Array, from: number, temperature: number, out: Float64Array): void {
  let most = -Infinity;
  for (let k = 0; k < out.length; k++) most = Math.max(most, z[from + k]!);
  let sum = 0;
  for (let k = 0; k < out.length; k++) sum += out[k] = Math.exp((z[from + k]! - most) / temperature);
  for (let k = 0; k < out.length; k++) out[k]! /= sum;
}

function highest(values: Float64Array): number {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (values[k]! > values[best]!) best = k;
  return best;
}
