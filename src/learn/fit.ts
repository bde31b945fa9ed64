import { boost, forestAt, meanForest, type Forest } from './boost.ts';
import { linearAt, logistic, ridge, type Linear } from './linear.ts';
import { familiarityOf, tfidf, vocabulary, type FeatureMatrix, type Vocabulary } from './matrix.ts';
import type { LabelledRow } from './rows.ts';

export type ModelKind = 'gain' | 'classic';

export interface FitSettings {
  readonly kind: ModelKind;
  readonly seed: number;
  /** Penalty of the words' ridge. */
  readonly penalty: number;
  /** Share of a row's own outcome in what is learnt; the rest is the mean of its task, which is less noisy. */
  readonly ownShare: number;
  /** Rows' worth of the overall mean in a task's mean. */
  readonly taskPrior: number;
  /** Share of the trees in the raw score. */
  readonly treeShare: number;
  readonly forests: number;
  readonly trees: number;
  readonly depth: number;
}

export const gainSettings: Omit<FitSettings, 'seed'> = { kind: 'gain', penalty: 1, ownShare: 0.5, taskPrior: 20, treeShare: 0.6, forests: 2, trees: 250, depth: 4 };

/** The classic: TF-IDF of 1- and 2-grams, logistic regression on "the weak model is right". scikit-learn's C = 1. */
export const classicSettings: Omit<FitSettings, 'seed'> = { ...gainSettings, kind: 'classic', treeShare: 0, forests: 0, trees: 0, depth: 0 };

/** A model before it is calibrated. */
export interface FittedParts {
  readonly vocabulary: Vocabulary;
  readonly linear: Linear;
  readonly forest: Forest | null;
}

/** A raw score and what it is made of, for one row of the matrix. */
export interface RawScore {
  readonly raw: number;
  readonly words: number;
  readonly trees: number;
  readonly familiarity: number;
}

/** What is learnt of each row: its gain, mixed with the mean gain of its task. */
function softTargets(rows: readonly LabelledRow[], chosen: Int32Array, { ownShare, taskPrior }: FitSettings): Float64Array {
  const gains = Float64Array.from(rows, ({ weak, strong }) => strong - weak);
  let mean = 0;
  const tasks = new Map<string, { sum: number; rows: number }>();
  for (const row of chosen) {
    mean += gains[row]! / chosen.length;
    const key = taskKey(rows[row]!);
    if (key === null) continue;
    const task = tasks.get(key) ?? { sum: 0, rows: 0 };
    task.sum += gains[row]!;
    task.rows++;
    tasks.set(key, task);
  }
  return gains.map((gain, row) => {
    const key = taskKey(rows[row]!);
    const task = key === null ? undefined : tasks.get(key);
    return task === undefined ? gain : ownShare * gain + (1 - ownShare) * ((task.sum + taskPrior * mean) / (task.rows + taskPrior));
  });
}

function taskKey({ source, task }: LabelledRow): string | null {
  return task === null ? null : `${source}\n${task}`;
}

/** Learns from the chosen rows. Deterministic by the settings. */
export function fit(matrix: FeatureMatrix, rows: readonly LabelledRow[], chosen: Int32Array, settings: FitSettings): FittedParts {
  const words = vocabulary(matrix, chosen);
  const values = tfidf(matrix, words);
  if (settings.kind === 'classic') {
    // The linear part predicts the log odds of "the weak model fails", so that higher means the strong one is needed more.
    const fails = Float64Array.from(rows, ({ weak }) => 1 - weak);
    return { vocabulary: words, linear: logistic(matrix, values, chosen, fails, settings.penalty), forest: null };
  }
  const targets = softTargets(rows, chosen, settings);
  const linear = ridge(matrix, values, chosen, targets, settings.penalty);
  const forests: Forest[] = [];
  for (let at = 0; at < settings.forests; at++) {
    forests.push(
      boost(matrix.columns, chosen, targets, {
        trees: settings.trees,
        depth: settings.depth,
        rate: 0.05,
        leaf: 20,
        shrink: 10,
        rowShare: 0.6,
        featureShare: 0.3,
        seed: settings.seed * 1000 + at,
      }),
    );
  }
  return { vocabulary: words, linear, forest: forests.length === 0 ? null : meanForest(forests) };
}

/** Raw scores of the chosen rows, as the finished model gives them (its tables are rounded; this is not). */
export function rawScores(parts: FittedParts, matrix: FeatureMatrix, chosen: Int32Array, settings: FitSettings): RawScore[] {
  const values = tfidf(matrix, parts.vocabulary);
  return Array.from(chosen, (row) => {
    const words = linearAt(parts.linear, matrix, values, row);
    const trees = parts.forest === null ? words : forestAt(parts.forest, matrix.columns, row);
    const raw = settings.kind === 'classic' ? 1 / (1 + Math.exp(-words)) : (1 - settings.treeShare) * words + settings.treeShare * trees;
    return { raw, words, trees, familiarity: familiarityOf(matrix, row, parts.vocabulary) };
  });
}
