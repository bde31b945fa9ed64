import { kind, type PromptGrams } from './grams.ts';
import type { TextModel } from './model.ts';
import type { LabelName, Lesson, Lessons, TaughtLabels } from './teaching.ts';

/** A prompt that a team labelled: at least one of task, domain, tier and level. */
export interface LabelledExample extends TaughtLabels {
  readonly name: string;
  readonly prompt: string;
}

/** Similarity up to which an example has no effect, and from which on it decides. */
const likeFrom = 0.25;
const likeTo = 0.65;

/**
 * Weight of an n-gram that the model does not know, in units of the model's inverse document frequency: mostly pairs of words, and names.
 */
const unknownWeight = 0.6;

/**
 * A team's examples: similar prompts move towards their labels. Similarity is the cosine of the n-grams of both asks, weighted by rarity.
 * For each label, only the nearest example that has it counts. Deterministic; time is linear in the n-grams of the prompt and the examples
 * that share them; it allocates only for prompts that an example moves. Results are valid until the next prompt is read.
 */
export class Examples implements Lessons {
  readonly #examples: readonly LabelledExample[];
  readonly #model: TextModel;
  /** Open addressing from an n-gram's hash to its index among the distinct n-grams, plus 1. */
  readonly #slots: Int32Array;
  readonly #hashes: Uint32Array;
  /** The examples that contain each n-gram are stored from its start to the next one's start. */
  readonly #starts: Int32Array;
  readonly #holders: Int32Array;
  /** One over the length of each example's vector. */
  readonly #scales: Float64Array;
  readonly #likeness: Float64Array;

  constructor(model: TextModel, examples: readonly LabelledExample[]) {
    this.#model = model;
    this.#examples = examples;
    this.#scales = new Float64Array(examples.length);
    this.#likeness = new Float64Array(examples.length);
    const held = new Map<number, number[]>();
    for (const [at, { prompt }] of examples.entries()) {
      const { hashes, kinds, size } = model.grams.read(prompt, '');
      let sum = 0;
      for (let i = 0; i < size; i++) {
        if (kinds[i] !== kind.ask) continue;
        const weight = this.#weightOf(hashes[i]!);
        sum += weight * weight;
        const holders = held.get(hashes[i]!);
        if (holders === undefined) held.set(hashes[i]!, [at]);
        else holders.push(at);
      }
      this.#scales[at] = sum === 0 ? 0 : 1 / Math.sqrt(sum);
    }
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * held.size + 2)));
    this.#hashes = Uint32Array.from(held.keys());
    this.#starts = new Int32Array(held.size + 1);
    this.#holders = Int32Array.from([...held.values()].flat());
    let start = 0;
    for (const [at, holders] of [...held.values()].entries()) {
      this.#starts[at + 1] = start += holders.length;
      let slot = this.#hashes[at]! & (this.#slots.length - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = at + 1;
    }
  }

  /** Computes the similarity of the prompt and each example. False if none is near. */
  compare(grams: PromptGrams): boolean {
    const likeness = this.#likeness.fill(0);
    const { hashes, kinds, size } = grams;
    let sum = 0;
    for (let i = 0; i < size; i++) {
      if (kinds[i] !== kind.ask) continue;
      const weight = this.#weightOf(hashes[i]!);
      sum += weight * weight;
      const place = this.#placeOf(hashes[i]!);
      if (place === -1) continue;
      for (let at = this.#starts[place]!; at < this.#starts[place + 1]!; at++) likeness[this.#holders[at]!]! += weight * weight;
    }
    if (sum === 0) return false;
    const scale = 1 / Math.sqrt(sum);
    let any = false;
    for (let at = 0; at < likeness.length; at++) {
      likeness[at]! *= scale * this.#scales[at]!;
      any ||= likeness[at]! > likeFrom;
    }
    return any;
  }

  /** The nearest example that has a label, the first if several are equally near. */
  lessonFor(label: LabelName): Lesson | null {
    let best = -1;
    for (let at = 0; at < this.#examples.length; at++) {
      const like = this.#likeness[at]!;
      if (like > likeFrom && this.#examples[at]![label] !== undefined && (best === -1 || like > this.#likeness[best]!)) best = at;
    }
    if (best === -1) return null;
    const like = this.#likeness[best]!;
    const labels = this.#examples[best]!;
    return { signal: `example ${labels.name}`, value: Math.round(like * 100) / 100, strength: strengthOf(like), labels };
  }

  #weightOf(hash: number): number {
    const row = this.#model.rowOf(hash);
    return row === -1 ? unknownWeight : this.#model.tables.idf[row]! / 16;
  }

  #placeOf(hash: number): number {
    const mask = this.#slots.length - 1;
    let at = hash & mask;
    for (let entry = this.#slots[at]!; entry !== 0; entry = this.#slots[(at = (at + 1) & mask)]!)
      if (this.#hashes[entry - 1] === hash) return entry - 1;
    return -1;
  }
}

/** How far an example moves a prompt, 0 to 1. */
function strengthOf(likeness: number): number {
  return Math.min(1, Math.max(0, (likeness - likeFrom) / (likeTo - likeFrom)));
}
