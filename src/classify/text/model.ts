import { languageOf } from '../language.ts';
import type { Mutable } from '../../lib/mutable.ts';
import { head, levels, outputs, textFields, textTasks, type TextField, type TextTask } from './heads.ts';
import { Lanes } from './lanes.ts';
import { mostWords, wordTable } from './scan.ts';
import { wordSlots } from './word-table.ts';
import { askHash, kind, kinds, lettersOf, materialHash, mostSpelt, PromptGrams } from './grams.ts';

/** Contents of a model file besides its weights. */
export interface TextModelHeader {
  readonly format: 3;
  readonly tasks: readonly string[];
  readonly fields: readonly string[];
  /** n-grams that have weights. */
  readonly rows: number;
  /** The value of one step of each output's integer weights. */
  readonly steps: readonly number[];
  readonly bias: readonly number[];
  /**
   * What is added to the outputs of the tasks, because people ask for these tasks more or less often than the training rows do: all of it
   * for prompts in `languages` (primary tags; `und`: not determined), the share `elsewhere` of it for others.
   */
  readonly odds: { readonly languages: readonly string[]; readonly elsewhere: number; readonly add: readonly number[] };
  /** Weight of each kind of n-gram. */
  readonly kindScale: readonly number[];
  /** Temperature: divides a head's outputs before they become probabilities. */
  readonly temperature: { readonly task: number; readonly field: number; readonly tier: number };
  readonly score: ScoreCurve;
  readonly card: TextModelCard;
}

/**
 * How the score is computed. The level's output becomes a level, 1 to 5, by `mean` and `slope`. Where the tier's head is sure, the level
 * only places the prompt within that tier; the head is trusted sooner on prompts worded like those of the public set of tiers. Routine
 * tasks subtract from the sum. Finally a piecewise linear curve maps the sum so that the default thresholds match the cuts between tiers.
 */
export interface ScoreCurve {
  readonly mean: number;
  readonly slope: number;
  /** Upper ends of the tiers simple and standard, before the curve. */
  readonly cuts: readonly [number, number];
  /** How steeply the weight of the tier's head rises with its probability. */
  readonly power: number;
  /** The same on prompts worded like the public set, and where and how fast the head that detects them begins to count. */
  readonly house: { readonly power: number; readonly bias: number; readonly steep: number };
  /**
   * The most that a routine task subtracts; the probability from which on it cannot be complex, unless the tier's head is surer of that
   * than `routineUnless`.
   */
  readonly routine: number;
  readonly routineFrom: number;
  readonly routineUnless: number;
  /**
   * The most that a medical, legal or financial prompt adds; the probability of such a field from which on a prompt that is not routine is
   * at least standard, unless the tier's head is surer than `delicateUnless` (more, the surer the field is) that it is simple.
   */
  readonly delicate: number;
  readonly delicateFrom: number;
  readonly delicateUnless: number;
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

/** Tables of a model: hashes in ascending order, then for each its inverse document frequency (in sixteenths) and its weights. */
export interface TextModelTables {
  readonly hashes: Uint32Array;
  readonly idf: Uint8Array;
  readonly weights: Int8Array;
}

/** The model's outputs for one prompt. Valid until the next prompt is read. */
export interface TextVerdict {
  readonly task: TextTask;
  readonly field: TextField;
  /** In the order of textTasks; they sum to 1. */
  readonly tasks: Float64Array;
  /** In the order of textFields; each is independent, since a prompt may belong to several. */
  readonly fields: Float64Array;
  /** Expected level, 1 to 5. */
  readonly level: number;
  /** Probabilities of simple, standard, complex. */
  readonly tiers: Float64Array;
  /** 0 (simple) to 1 (complex). */
  readonly score: number;
  /** Share of the ask's words that the model has seen in training, 0 to 1. */
  readonly familiarity: number;
  /** BCP-47 primary tag of the ask's language; `und` if it cannot be determined. */
  readonly language: string;
}

/** Adjusts a head's outputs with a team's examples before they become probabilities. */
export type Nudge = (grams: PromptGrams, outputs: Float64Array) => void;

/** A word's weights by what needs them: most words of a text are material, and the letters of those are not read. */
const part = { ask: 1, material: 2, letters: 4 } as const;

/** What a sentence model makes of the outputs: each times its `keep`, plus its part of `addition`. */
export interface Joined {
  readonly keep: ArrayLike<number>;
  readonly addition: ArrayLike<number>;
}

/** A trained text model. Deterministic; its time is linear in the part of a prompt that is read. */
export class TextModel {
  readonly header: TextModelHeader;
  readonly tables: TextModelTables;
  /** First half of the SHA-256 of the file, in hex. */
  readonly version: string;
  readonly grams = new PromptGrams();
  /** Hash table of rows: each slot has the row plus 1 in the bits of `#low`, and the upper bits of the hash above them; 0 if empty. */
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #low: number;
  readonly #sums = Array.from({ length: kinds }, () => new Int32Array(outputs));
  /** Cached weights of words that were read before, by slot: in the ask, in the material, and by their letters. */
  readonly #askWords = new Lanes(wordSlots);
  readonly #materialWords = new Lanes(wordSlots);
  readonly #letterWords = new Lanes(wordSlots);
  /** Version of each slot when it was looked up, and the parts that were. */
  readonly #versions = new Int32Array(wordSlots);
  readonly #looked = new Uint8Array(wordSlots);
  /** Whether the model knows each word. */
  readonly #known = new Uint8Array(wordSlots);
  /** Slots of one prompt's words. */
  readonly #asks = new Int32Array(mostWords);
  readonly #materials = new Int32Array(mostWords);
  readonly #spells = new Int32Array(mostWords);
  readonly #wordSum = new Int32Array(outputs);
  readonly #letters = new Uint32Array(3 * (mostSpelt + 2));
  readonly #z = new Float64Array(outputs);
  readonly #tasks = new Float64Array(textTasks.length);
  readonly #fields = new Float64Array(textFields.length);
  readonly #tiers = new Float64Array(3);
  readonly #scoreParts: Mutable<ScoreParts> = { hardness: 0, tiers: this.#tiers, house: 0, delicate: 0, routine: 0 };

  constructor(header: TextModelHeader, tables: TextModelTables, version: string) {
    this.header = header;
    this.version = version;
    this.tables = byFrequency(tables);
    // At most two thirds are used: rows are found within a cache line, and a table of twice the size would leave the cache.
    this.#mask = 2 ** Math.ceil(Math.log2(1.5 * header.rows + 2)) - 1;
    this.#low = 2 ** Math.ceil(Math.log2(header.rows + 2)) - 1;
    this.#slots = new Int32Array(this.#mask + 1);
    for (let row = 0; row < header.rows; row++) {
      const hash = this.tables.hashes[row]!;
      let at = hash & this.#mask;
      while (this.#slots[at] !== 0) at = (at + 1) & this.#mask;
      this.#slots[at] = (hash & ~this.#low) | (row + 1);
    }
  }

  /** The row of an n-gram's hash; -1 if the model does not know it. */
  rowOf(hash: number): number {
    const { hashes } = this.tables;
    const slots = this.#slots;
    const low = this.#low;
    let at = hash & this.#mask;
    for (let entry = slots[at]!; entry !== 0; entry = slots[(at = (at + 1) & this.#mask)]!) {
      // The slot contains the upper bits of the hash, so most unknown n-grams are rejected without reading the table.
      if (((entry ^ hash) & ~low) !== 0) continue;
      const row = (entry & low) - 1;
      if (hashes[row] === hash) return row;
    }
    return -1;
  }

  /** Classifies a prompt: the user's ask, under a system prompt ('' if there is none). `joined`: null if no sentence model read it. */
  read(user: string, system: string, nudge: Nudge | null = null, joined: Joined | null = null): TextVerdict {
    const { grams } = this;
    grams.read(user, system);
    const known = this.#sum();
    const z = this.#z;
    const { steps, bias, kindScale, temperature, score: curve } = this.header;
    for (let k = 0; k < outputs; k++) {
      let value = 0;
      for (let of = 0; of < kindScale.length; of++)
        if (grams.counts[of]! > 0) value += (kindScale[of]! / Math.sqrt(grams.counts[of]!)) * this.#sums[of]![k]!;
      z[k] = bias[k]! + value * steps[k]!;
    }
    if (joined !== null) for (let k = 0; k < outputs; k++) z[k] = joined.keep[k]! * z[k]! + joined.addition[k]!;
    const language = languageOf(user, grams.text.words, grams.text.ascii);
    const { languages, elsewhere, add } = this.header.odds;
    const share = languages.includes(language) ? 1 : elsewhere;
    for (let k = 0; k < textTasks.length; k++) z[head.task + k]! += share * add[k]!;
    if (nudge !== null) nudge(grams, z);
    softmax(z, head.task, temperature.task, this.#tasks);
    softmax(z, head.tier, temperature.tier, this.#tiers);
    for (let k = 0; k < textFields.length; k++) this.#fields[k] = sigmoid(z[head.field + k]! / temperature.field);
    const hardness = hardnessOf(z[head.level]!, curve);
    const asked = grams.counts[kind.ask]!;
    return {
      task: textTasks[highest(this.#tasks)]!,
      field: textFields[highest(this.#fields)]!,
      tasks: this.#tasks,
      fields: this.#fields,
      level: Math.min(levels, Math.max(1, hardness)),
      tiers: this.#tiers,
      score: along(curve.from, curve.to, rawScore(curve, this.#parts(hardness))),
      familiarity: asked === 0 ? 0 : known / asked,
      language,
    };
  }

  /** The inputs of a score, in the same object each time. */
  #parts(hardness: number): ScoreParts {
    const parts = this.#scoreParts;
    parts.hardness = hardness;
    parts.house = this.#z[head.house]!;
    parts.delicate = delicateOf(this.#fields);
    parts.routine = routineOf(this.#tasks);
    return parts;
  }

  /** Adds the weights of all known n-grams, by kind. Returns how many of the ask's are known. */
  #sum(): number {
    const { hashes, kinds, size, wordAt, text, spelt, speltCount } = this.grams;
    const { slots, words } = text;
    for (const sum of this.#sums) sum.fill(0);
    let known = 0;
    let asks = 0;
    let materials = 0;
    for (let i = 0; i < size; i++) {
      const of = kinds[i]!;
      const slot = wordAt[i] === -1 ? -1 : slots[wordAt[i]!]!;
      if (slot !== -1) {
        this.#keep(words[wordAt[i]!]!, slot, of === kind.ask ? part.ask : part.material);
        if (of === kind.ask) {
          known += this.#known[slot]!;
          this.#asks[asks++] = slot;
        } else this.#materials[materials++] = slot;
      } else if (this.#add(hashes[i]!, this.#sums[of]!) && of === kind.ask) known++;
    }
    let spells = 0;
    for (let i = 0; i < speltCount; i++) {
      const slot = slots[spelt[i]!]!;
      if (slot === -1) this.#addLetters(words[spelt[i]!]!, this.#sums[kind.letters]!);
      else this.#spells[spells++] = this.#keep(words[spelt[i]!]!, slot, part.letters);
    }
    this.#askWords.addTo(this.#sums[kind.ask]!, this.#asks, asks);
    this.#materialWords.addTo(this.#sums[kind.material]!, this.#materials, materials);
    this.#letterWords.addTo(this.#sums[kind.letters]!, this.#spells, spells);
    return known;
  }

  /** Adds the weight of one n-gram. Returns whether the model knows it. */
  #add(hash: number, sum: Int32Array): boolean {
    const row = this.rowOf(hash);
    if (row === -1) return false;
    const { weights } = this.tables;
    for (let k = 0, base = row * outputs; k < outputs; k++) sum[k]! += weights[base + k]!;
    return true;
  }

  /** Looks up a part of a word's weights, unless its slot already has it. Returns the slot. */
  #keep(word: string, slot: number, wanted: number): number {
    const version = wordTable.versionOf(slot);
    if (this.#versions[slot] !== version) {
      this.#versions[slot] = version;
      this.#looked[slot] = 0;
    }
    if ((this.#looked[slot]! & wanted) === 0) {
      this.#looked[slot]! |= wanted;
      this.#lookUp(word, slot, wanted);
    }
    return slot;
  }

  #lookUp(word: string, slot: number, wanted: number): void {
    const sum = this.#wordSum.fill(0);
    if (wanted === part.ask) {
      this.#known[slot] = this.#add(askHash(word), sum) ? 1 : 0;
      this.#askWords.put(slot, sum);
    } else if (wanted === part.material) {
      this.#add(materialHash(word), sum);
      this.#materialWords.put(slot, sum);
    } else {
      this.#addLetters(word, sum);
      this.#letterWords.put(slot, sum);
    }
  }

  #addLetters(word: string, sum: Int32Array): void {
    const count = lettersOf(word, this.#letters);
    for (let i = 0; i < count; i++) this.#add(this.#letters[i]!, sum);
  }
}

/** The tables with frequent n-grams first: the rows that most prompts need are close together in the processor's cache. */
function byFrequency({ hashes, idf, weights }: TextModelTables): TextModelTables {
  const order = Uint32Array.from(hashes.keys()).sort((a, b) => idf[a]! - idf[b]! || a - b);
  const sorted = { hashes: new Uint32Array(hashes.length), idf: new Uint8Array(idf.length), weights: new Int8Array(weights.length) };
  for (let at = 0; at < order.length; at++) {
    const row = order[at]!;
    sorted.hashes[at] = hashes[row]!;
    sorted.idf[at] = idf[row]!;
    for (let k = 0; k < outputs; k++) sorted.weights[at * outputs + k] = weights[row * outputs + k]!;
  }
  return sorted;
}

/** How hard an output says a prompt is, on the scale of levels but without its limits, so that the easiest prompts keep their order. */
export function hardnessOf(output: number, { mean, slope }: Pick<ScoreCurve, 'mean' | 'slope'>): number {
  return mean + slope * output;
}

/**
 * Probability that the task is routine: sorting, extracting, translating, shortening or rewording given material. Routine tasks come first
 * among the tasks.
 */
export function routineOf(tasks: ArrayLike<number>): number {
  return tasks[0]! + tasks[1]! + tasks[2]! + tasks[3]! + tasks[4]!;
}

/** Probability that the prompt is in a field where a wrong answer causes harm: medical, legal and finance come first among the fields. */
export function delicateOf(fields: ArrayLike<number>): number {
  return Math.max(fields[0]!, fields[1]!, fields[2]!);
}

/**
 * Inputs of a score: what `hardnessOf` says; probabilities of the tiers; the output that detects the public set's wording; probabilities of a
 * delicate field and of a routine task.
 */
export interface ScoreParts {
  readonly hardness: number;
  readonly tiers: ArrayLike<number>;
  readonly house: number;
  readonly delicate: number;
  readonly routine: number;
}

/** The surer a delicate field is, the surer the tier's head must be that a prompt of it is simple: by this much of the difference. */
const surer = 0.25;

/** The score before the curve. */
export function rawScore(curve: Omit<ScoreCurve, 'from' | 'to'>, { hardness, tiers, house, delicate, routine }: ScoreParts): number {
  const simple = curve.cuts[0];
  const standard = curve.cuts[1];
  const height = (hardness - 1) / (levels - 1);
  // Squared so that a tier that is likely but not sure does not lift a prompt of a likelier tier over its cut.
  const a = tiers[0]! * tiers[0]!;
  const b = tiers[1]! * tiers[1]!;
  const c = tiers[2]! * tiers[2]!;
  const place = 0.1 + 0.75 * Math.min(1, Math.max(0, height));
  const within = (a * simple * place + b * (simple + (standard - simple) * place) + c * (standard + (1 - standard) * place)) / (a + b + c);
  const surest = Math.max(0, 1.5 * Math.max(tiers[0]!, tiers[1]!, tiers[2]!) - 0.5);
  const known = sigmoid((house + curve.house.bias) * curve.house.steep);
  const sure = Math.max(surest ** curve.power, known * surest ** curve.house.power);
  // In a delicate field, possible harm makes a prompt complex, and its level does not show that; a prompt that is surely simple stays
  // simple.
  const harm = curve.delicate * Math.max(0, 2 * delicate - 1) * (1 - tiers[0]! + 1.5 * tiers[2]!) * (1 - known);
  const sum = harm + sure * within + (1 - sure) * height - (1 - known) * curve.routine * Math.max(0, 2 * routine - 1) * (1 - tiers[2]!);
  if (routine >= curve.routineFrom) return tiers[2]! < curve.routineUnless && known < 0.5 ? Math.min(sum, standard - 0.01) : sum;
  const lifted = delicate >= curve.delicateFrom && tiers[0]! < curve.delicateUnless + surer * (delicate - curve.delicateFrom);
  // Rises with the sum, so that lifted prompts keep their order.
  return lifted ? Math.max(sum, simple + 0.001 + 0.1 * Math.max(0, sum)) : sum;
}

/** The value at `x` of a piecewise linear curve through points; constant before the first and after the last. */
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
