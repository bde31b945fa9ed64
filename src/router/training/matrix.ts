import { textFeatures, fillTreeFeatures, treeFeatures } from '../model/features.ts';
import { damped, gramBuckets, Grams, wordBit, wordBits } from '../model/grams.ts';

/** The features of many prompts, computed once: counts of hashed grams by row, and tree inputs by column. */
export interface FeatureMatrix {
  readonly rows: number;
  /** Row i's grams are at start[i] … start[i + 1] - 1. */
  readonly start: Int32Array;
  readonly bucket: Int32Array;
  readonly count: Int32Array;
  /** Distinct bits of the words of row i, at wordStart[i] … */
  readonly wordStart: Int32Array;
  readonly word: Int32Array;
  /** One column per tree feature. */
  readonly columns: readonly Float64Array[];
}

/** Computes the features of prompts exactly as a model does for a prediction. `progress` receives the number of finished rows. */
export function featureMatrix(prompts: readonly string[], progress: (done: number) => void = () => undefined): FeatureMatrix {
  const start = new Int32Array(prompts.length + 1);
  const wordStart = new Int32Array(prompts.length + 1);
  const buckets: number[] = [];
  const counts: number[] = [];
  const words: number[] = [];
  const columns = treeFeatures.map(() => new Float64Array(prompts.length));
  const grams = new Grams();
  const numbers = new Float64Array(treeFeatures.length);
  for (const [row, prompt] of prompts.entries()) {
    const features = textFeatures(prompt);
    grams.count(features.tokens, null);
    for (let i = 0; i < grams.size; i++) {
      buckets.push(grams.buckets[i]!);
      counts.push(grams.counts[i]!);
    }
    start[row + 1] = buckets.length;
    for (const token of new Set(features.tokens)) if (token.length > 1 && !/^[0-9]/.test(token)) words.push(wordBit(token));
    wordStart[row + 1] = words.length;
    fillTreeFeatures(prompt, features, grams.distinct, numbers);
    for (const [at, column] of columns.entries()) column[row] = numbers[at]!;
    if (row % 500 === 499) progress(row + 1);
  }
  return {
    rows: prompts.length,
    start,
    bucket: Int32Array.from(buckets),
    count: Int32Array.from(counts),
    wordStart,
    word: Int32Array.from(words),
    columns,
  };
}

/** Word statistics of a training set. */
export interface Vocabulary {
  /** One byte per bucket: the inverse document frequency in steps of idfStep; 0 for grams of fewer than two rows. */
  readonly idf: Uint8Array;
  readonly idfStep: number;
  /** One bit per word that at least two rows have. */
  readonly known: Uint8Array;
}

export function vocabulary(matrix: FeatureMatrix, rows: Int32Array): Vocabulary {
  const frequency = new Int32Array(gramBuckets);
  const seen = new Uint8Array(wordBits);
  const known = new Uint8Array(wordBits / 8);
  for (const row of rows) {
    for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) frequency[matrix.bucket[i]!]!++;
    for (let i = matrix.wordStart[row]!; i < matrix.wordStart[row + 1]!; i++) {
      const bit = matrix.word[i]!;
      if (seen[bit] === 1) known[bit >>> 3]! |= 1 << (bit & 7);
      else seen[bit] = 1;
    }
  }
  const weigh = (df: number): number => Math.log((1 + rows.length) / (1 + df)) + 1;
  const idfStep = weigh(2) / 255;
  const idf = Uint8Array.from(frequency, (df) => (df < 2 ? 0 : Math.max(1, Math.min(255, Math.round(weigh(df) / idfStep)))));
  return { idf, idfStep, known };
}

/** Share of a row's words that are in the vocabulary. */
export function familiarityOf(matrix: FeatureMatrix, row: number, { known }: Vocabulary): number {
  const from = matrix.wordStart[row]!;
  const to = matrix.wordStart[row + 1]!;
  let hits = 0;
  for (let i = from; i < to; i++) {
    const bit = matrix.word[i]!;
    hits += (known[bit >>> 3]! >>> (bit & 7)) & 1;
  }
  return to === from ? 0 : hits / (to - from);
}

/** Normalised TF-IDF of every row, in the matrix's own order of grams. */
export function tfidf(matrix: FeatureMatrix, { idf }: Vocabulary): Float64Array {
  const values = new Float64Array(matrix.bucket.length);
  for (let row = 0; row < matrix.rows; row++) {
    let square = 0;
    for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) {
      const value = damped[matrix.count[i]!]! * idf[matrix.bucket[i]!]!;
      values[i] = value;
      square += value * value;
    }
    if (square === 0) continue;
    const scale = 1 / Math.sqrt(square);
    for (let i = matrix.start[row]!; i < matrix.start[row + 1]!; i++) values[i]! *= scale;
  }
  return values;
}
