import { askHash, kind } from './grams.ts';
import { head, outputs, textFields, textTasks } from './heads.ts';
import type { Hashed, TextRow } from './example.ts';
import type { TextWeights } from './train.ts';
import { rarityOf, type WordVectors } from './vectors.ts';

/**
 * Adds the word vectors to the model. A linear model over the mean vector of an ask's words is a sum over its words, so it can be folded
 * into the words' own weights: words that are in no training prompt get weights from their neighbours, at no extra cost per prompt. The
 * vectors are of English words: prompts in other languages do not fit them, and words that those prompts contain more often ("die", "que")
 * get nothing from them.
 */
export interface FoldOptions {
  /** Share of the vectors' level, fields and tasks that is added to the weights. */
  readonly level: number;
  readonly field: number;
  readonly task: number;
  /** Regularisation of the vectors' weights. */
  readonly pull: { readonly level: number; readonly field: number; readonly task: number };
  /** How many words, most frequent first, get a row of their own if they have none. */
  readonly most: number;
}

const defaultFold: FoldOptions = { level: 1, field: 0.35, task: 0.3, pull: { level: 300, field: 3, task: 3 }, most: 25_000 };

/** Document count assumed for a word that is in no training prompt, when rows are chosen. */
const unseen = 2;

/** Newton iterations of a logistic regression. */
const rounds = 6;

/** `trained` with the vectors folded in. Changes no row that has no word with a vector. */
export function foldVectors(
  trained: TextWeights,
  input: { readonly rows: readonly TextRow[]; readonly hashed: readonly Hashed[]; readonly vectors: WordVectors },
  options: FoldOptions = defaultFold,
): TextWeights {
  const { rows, hashed, vectors } = input;
  const english = englishWords(rows, hashed, vectors.words.length);
  const wordsOf = hashed.map(({ words }) => words.filter((place) => english[place] === 1));
  const used = rows.map((_, at) => at).filter((at) => isEnglish(rows[at]!) && wordsOf[at]!.length > 1);
  const x = used.map((at) => meanVector(wordsOf[at]!, hashed[at]!.counts, vectors));
  const withLevel = used.map((at, i) => [rows[at]!.level, i] as const).filter(([level]) => level !== null);
  const level = ridge(
    withLevel.map(([, i]) => x[i]!),
    withLevel.map(([value]) => value! - trained.meanLevel),
    options.pull.level,
  );
  const fields = classes(
    used.flatMap((at, i) => (rows[at]!.fields === null ? [] : [{ x: x[i]!, weight: rows[at]!.weight, is: rows[at]!.fields }])),
    textFields,
    options.pull.field,
  );
  const tasks = classes(
    used.flatMap((at, i) => (rows[at]!.task === null ? [] : [{ x: x[i]!, weight: rows[at]!.weight, is: [rows[at]!.task] }])),
    textTasks,
    options.pull.task,
  );
  return widened(trained, { vectors, english, most: options.most }, (place, add) => {
    const worth = rarityOf(place);
    const dot = (beta: Float64Array): number => {
      let sum = 0;
      for (let k = 0; k < vectors.size; k++) sum += beta[k]! * vectors.numbers[place * vectors.size + k]!;
      return worth * sum;
    };
    add(head.level, options.level * dot(level));
    fields.forEach((beta, k) => add(head.field + k, options.field * dot(beta)));
    tasks.forEach((beta, k) => add(head.task + k, options.task * dot(beta)));
  });
}

const isEnglish = ({ language }: TextRow): boolean => language === undefined || language === 'en';

/** 1 for each word that no more of the rows in other languages contain than in English. */
function englishWords(rows: readonly TextRow[], hashed: readonly Hashed[], words: number): Uint8Array {
  const more = new Int32Array(words);
  rows.forEach((row, at) => {
    for (const place of hashed[at]!.words) more[place]! += isEnglish(row) ? 1 : -1;
  });
  return Uint8Array.from(more, (count) => (count >= 0 ? 1 : 0));
}

/** One logistic regression for each of `names`. */
function classes<Name extends string>(
  rows: readonly { readonly x: Float64Array; readonly weight: number; readonly is: readonly Name[] }[],
  names: readonly Name[],
  pull: number,
): Float64Array[] {
  const x = rows.map((row) => row.x);
  const weights = rows.map((row) => row.weight);
  return names.map((name) =>
    logistic(
      x,
      rows.map(({ is }) => (is.includes(name) ? 1 : 0)),
      { weights, pull },
    ),
  );
}

/**
 * Sum of the vectors of an ask's words, each weighted by rarity, divided by the square root of the ask's n-gram count: the factor that a
 * weight of the ask is multiplied by.
 */
function meanVector(words: Int32Array, counts: Hashed['counts'], { size, numbers }: WordVectors): Float64Array {
  const sum = new Float64Array(size);
  const scale = 1 / Math.sqrt(Math.max(1, counts[kind.ask]!));
  for (const place of words) {
    const worth = rarityOf(place) * scale;
    for (let k = 0; k < size; k++) sum[k]! += worth * numbers[place * size + k]!;
  }
  return sum;
}

/** Copies the weights, adds a row for each of the most frequent words, and lets `of` add to each English word's outputs. */
function widened(
  trained: TextWeights,
  { vectors: { words }, english, most }: { readonly vectors: WordVectors; readonly english: Uint8Array; readonly most: number },
  of: (place: number, add: (output: number, value: number) => void) => void,
): TextWeights {
  const rows = new Map(trained.rows);
  const folds = (word: string, place: number): boolean => english[place] === 1 && isWord(word);
  for (const [place, word] of words.slice(0, most).entries())
    if (folds(word, place) && !rows.has(askHash(word))) rows.set(askHash(word), rows.size);
  const weights = new Float32Array(rows.size * outputs);
  weights.set(trained.weights);
  const idf = new Float32Array(rows.size).fill(Math.max(...trained.idf));
  idf.set(trained.idf);
  const counts = new Uint32Array(rows.size).fill(unseen);
  counts.set(trained.counts);
  const scale = trained.kindScale[kind.ask]!;
  for (const [place, word] of words.entries()) {
    const row = folds(word, place) ? rows.get(askHash(word)) : undefined;
    if (row !== undefined) of(place, (output, value) => (weights[row * outputs + output]! += value / scale));
  }
  return { ...trained, rows, idf, counts, weights };
}

function isWord(word: string): boolean {
  return /^[a-z]+$/.test(word);
}

/** Solves (XᵀX + pull) b = Xᵀy. */
function ridge(x: readonly Float64Array[], y: readonly number[], pull: number): Float64Array {
  const size = x[0]?.length ?? 0;
  const normal = new Normal(size, pull);
  x.forEach((row, at) => normal.add(row, 1, y[at]!));
  return normal.solve();
}

/** Logistic regression without an intercept, by Newton's method. */
function logistic(
  x: readonly Float64Array[],
  y: readonly number[],
  { weights, pull }: { readonly weights: readonly number[]; readonly pull: number },
): Float64Array {
  const size = x[0]?.length ?? 0;
  let beta: Float64Array = new Float64Array(size);
  for (let round = 0; round < rounds; round++) {
    const normal = new Normal(size, pull);
    x.forEach((row, at) => {
      let z = 0;
      for (let k = 0; k < size; k++) z += beta[k]! * row[k]!;
      const p = 1 / (1 + Math.exp(-z));
      const spread = Math.max(1e-3, p * (1 - p));
      normal.add(row, weights[at]! * spread, z + (y[at]! - p) / spread);
    });
    beta = normal.solve();
  }
  return beta;
}

/** Normal equations of a weighted least-squares fit, solved by elimination. */
class Normal {
  readonly #rows: Float64Array[];
  readonly #size: number;

  constructor(size: number, pull: number) {
    this.#size = size;
    this.#rows = Array.from({ length: size }, (_, at) => {
      const row = new Float64Array(size + 1);
      row[at] = pull;
      return row;
    });
  }

  add(x: Float64Array, weight: number, y: number): void {
    for (let p = 0; p < this.#size; p++) {
      const value = weight * x[p]!;
      if (value === 0) continue;
      const row = this.#rows[p]!;
      for (let q = p; q < this.#size; q++) row[q]! += value * x[q]!;
      row[this.#size]! += value * y;
    }
  }

  /** The matrix is symmetric and positive definite, so no pivoting is needed. */
  solve(): Float64Array {
    const rows = this.#rows;
    const size = this.#size;
    for (let p = 0; p < size; p++) for (let q = 0; q < p; q++) rows[p]![q] = rows[q]![p]!;
    for (let p = 0; p < size; p++)
      for (let q = p + 1; q < size; q++) {
        const factor = rows[q]![p]! / rows[p]![p]!;
        if (factor !== 0) for (let k = p; k <= size; k++) rows[q]![k]! -= factor * rows[p]![k]!;
      }
    const solution = new Float64Array(size);
    for (let p = size - 1; p >= 0; p--) {
      let rest = rows[p]![size]!;
      for (let q = p + 1; q < size; q++) rest -= rows[p]![q]! * solution[q]!;
      solution[p] = rest / rows[p]![p]!;
    }
    return solution;
  }
}
