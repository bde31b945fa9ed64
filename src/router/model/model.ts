import { calibrated, knownness } from './calibration.ts';
import { fillTreeFeatures, textFeatures, treeFeatures, type TextFeatures } from './features.ts';
import { damped, Grams, mostTopics, plainTopics } from './grams.ts';
import { treeShareAt, type Influence, type ModelHeader, type Prediction } from './types.ts';

/** The numbers of a model, as stored in its file. */
export interface ModelTables {
  /** One byte per bucket; 0 if the gram occurred less than twice in training. */
  readonly idf: Uint8Array;
  readonly weight: Int16Array;
  /** One weight per bucket and topic, ordered by bucket. */
  readonly topic: Int8Array;
  /** One bit per word. */
  readonly known: Uint8Array;
  /** Complete trees of `depth`: 2^depth - 1 inner nodes each, breadth first. Values below the threshold go left. */
  readonly feature: Uint8Array;
  readonly threshold: Float32Array;
  /** Value of each node and leaf: 2^(depth+1) - 1 values per tree, leaves last. */
  readonly value: Float32Array;
}

/** Scratch space shared by all calls; its contents are only valid during one call. */
const grams = new Grams();
const numbers = new Float64Array(treeFeatures.length + mostTopics);
const topicSums = new Float64Array(mostTopics);

/** A learned router: predicts the stronger model's gain from the prompt alone. Immutable; linear in the text's excerpt. */
export class RouterModel {
  readonly header: ModelHeader;
  readonly tables: ModelTables;
  /** First 16 hex digits of the file's SHA-256; identifies the model in records. */
  readonly version: string;
  readonly #names: readonly string[];

  constructor(header: ModelHeader, tables: ModelTables, version: string) {
    this.header = header;
    this.tables = tables;
    this.version = version;
    this.#names = header.features;
  }

  /** Predicts for a prompt. `features`: features of the same text, if the classifier already has them. */
  predict(text: string, features: TextFeatures = textFeatures(text)): Prediction {
    const { header } = this;
    const words = this.#words(features);
    const familiarity = grams.words === 0 ? 0 : grams.known / grams.words;
    const certainty = this.#certainty();
    let trees = 0;
    if (header.trees > 0) {
      fillTreeFeatures(text, features, grams.distinct, numbers);
      trees = this.#trees();
    }
    const { calibration } = header;
    const treeShare = treeShareAt(header.treeShare, header.leaning, certainty);
    const raw = header.kind === 'classic' ? 1 / (1 + Math.exp(-words)) : (1 - treeShare) * words + treeShare * trees;
    const known = knownness(calibration, header.topics.length > plainTopics ? certainty : familiarity);
    const apart = header.trees > 0 ? (words - trees) * calibration.errorDisagreement : 0;
    const abstain = familiarity < calibration.abstainBelow;
    // Nothing like this prompt was measured, so the error is at least that of unknown tasks.
    const error = abstain ? 2 * calibration.errorAway : known * calibration.errorHome + (1 - known) * calibration.errorAway;
    return {
      gain: calibrated(calibration, raw, known),
      uncertainty: Math.sqrt(error * error + apart * apart),
      abstain,
      familiarity,
      known,
    };
  }

  /**
   * The features that moved the raw score most, largest first. Words are summed under `words`, so that a record contains nothing of the
   * prompt.
   */
  influences(text: string, most: number, features: TextFeatures = textFeatures(text)): Influence[] {
    const { header, tables } = this;
    const words = this.#words(features);
    const treeShare = treeShareAt(header.treeShare, header.leaning, this.#certainty());
    const share = header.kind === 'classic' ? 1 : 1 - treeShare;
    const list: Influence[] = [{ name: 'words', share: (words - header.bias) * share }];
    if (header.trees > 0) {
      fillTreeFeatures(text, features, grams.distinct, numbers);
      const sums = new Float64Array(this.#names.length);
      const inner = 2 ** header.depth - 1;
      const all = 2 * inner + 1;
      for (let tree = 0; tree < header.trees; tree++) {
        let node = 0;
        while (node < inner) {
          const feature = tables.feature[tree * inner + node]!;
          const next = 2 * node + (numbers[feature]! < tables.threshold[tree * inner + node]! ? 1 : 2);
          sums[feature]! += tables.value[tree * all + next]! - tables.value[tree * all + node]!;
          node = next;
        }
      }
      for (const [at, sum] of sums.entries()) if (sum !== 0) list.push({ name: this.#names[at]!, share: sum * treeShare });
    }
    return list.sort((a, b) => Math.abs(b.share) - Math.abs(a.share) || (a.name < b.name ? -1 : 1)).slice(0, most);
  }

  /**
   * Linear part: normalised TF-IDF of word 1- and 2-grams times weights, plus the bias. Leaves the counts in `grams` and the topics in
   * `numbers`.
   */
  #words(features: TextFeatures): number {
    const { idf, weight, known } = this.tables;
    const { bias, idfStep, weightStep, topics } = this.header;
    const { topic } = this.tables;
    const count = topics.length;
    grams.count(features.tokens, known);
    let sum = 0;
    let square = 0;
    for (let k = 0; k < count; k++) topicSums[k] = 0;
    for (let i = 0; i < grams.size; i++) {
      const bucket = grams.buckets[i]!;
      // A gram that did not occur in training carries no information.
      if (idf[bucket] === 0) continue;
      const value = damped[grams.counts[i]!]! * idf[bucket]!;
      square += value * value;
      sum += value * weight[bucket]!;
      const from = bucket * count;
      for (let k = 0; k < count; k++) topicSums[k]! += value * topic[from + k]!;
    }
    const scale = square === 0 ? 0 : 1 / Math.sqrt(square);
    for (let k = 0; k < count; k++) numbers[treeFeatures.length + k] = topics[k]!.bias + topicSums[k]! * scale * topics[k]!.step;
    // idfStep scales value and norm alike, so it cancels out.
    return idfStep === 0 ? bias : bias + sum * scale * weightStep;
  }

  /** How well the text fits one of the kinds of work; 0 without topics. Reads the topics from `numbers`. */
  #certainty(): number {
    let certainty = 0;
    for (let k = plainTopics; k < this.header.topics.length; k++) certainty = Math.max(certainty, numbers[treeFeatures.length + k]!);
    return certainty;
  }

  #trees(): number {
    const { feature, threshold, value } = this.tables;
    const { depth, trees, treeBase } = this.header;
    const inner = 2 ** depth - 1;
    const all = 2 * inner + 1;
    let sum = treeBase;
    let first = 0;
    let leaf = 0;
    for (let tree = 0; tree < trees; tree++) {
      let node = 0;
      for (let level = 0; level < depth; level++) node = 2 * node + (numbers[feature[first + node]!]! < threshold[first + node]! ? 1 : 2);
      sum += value[leaf + node]!;
      first += inner;
      leaf += all;
    }
    return sum;
  }
}
