import { boost, forestAt, meanForest, type Forest } from './boost.ts';
import { groupFolds } from './folds.ts';
import { linearAt, linearsAt, logistic, ridge, ridges, type Linear, type Linears } from './linear.ts';
import { plainTopics } from '../model/grams.ts';
import { familiarityOf, tfidf, vocabulary, type FeatureMatrix, type Vocabulary } from './matrix.ts';
import { treeShareAt, type Leaning } from '../model/types.ts';
import type { LabelledRow } from './rows.ts';

export type ModelKind = 'gain' | 'classic';

export interface FitSettings {
  readonly kind: ModelKind;
  readonly seed: number;
  /** Ridge penalty of the words. */
  readonly penalty: number;
  /** Weight of a row's own outcome in the target; the rest is the mean of its task, which is less noisy. */
  readonly ownShare: number;
  /** Weight of the overall mean in a task's mean, in rows. */
  readonly taskPrior: number;
  /** Number of kinds of work, the most frequent ones, whose words the trees use. */
  readonly topics: number;
  /** Share of the trees in the raw score. */
  readonly treeShare: number;
  /** Range of the certainty of the kind of work over which the score moves from words to trees. */
  readonly leaning: Leaning;
  /**
   * Weight of "the weak model fails" in the words' score, and gain per unit of its log odds. It generalises better than the gain to kinds
   * that were never seen.
   */
  readonly failShare: number;
  readonly gainPerLogit: number;
  readonly forests: number;
  readonly trees: number;
  readonly depth: number;
  /** Learning rate of the trees. */
  readonly rate: number;
}

export const gainSettings: Omit<FitSettings, 'seed'> = {
  kind: 'gain',
  penalty: 1,
  ownShare: 0.5,
  taskPrior: 20,
  topics: 9,
  treeShare: 0.85,
  leaning: { from: 0.25, to: 0.55 },
  failShare: 2 / 3,
  gainPerLogit: 0.16,
  forests: 3,
  trees: 300,
  depth: 3,
  rate: 0.035,
};

/** The classic model: TF-IDF of 1- and 2-grams, logistic regression on "the weak model is right". scikit-learn's C = 1. */
export const classicSettings: Omit<FitSettings, 'seed'> = {
  ...gainSettings,
  kind: 'classic',
  topics: 0,
  treeShare: 0,
  forests: 0,
  trees: 0,
  depth: 0,
};

/** A model before calibration. */
export interface FittedParts {
  readonly vocabulary: Vocabulary;
  readonly linear: Linear;
  readonly topics: Topics;
  readonly forest: Forest | null;
}

/** Linear functions of the words that the trees use: the gain, both models' scores, and the kind of work. */
interface Topics extends Linears {
  readonly names: readonly string[];
}

/** A raw score and its components, for one row of the matrix. */
export interface RawScore {
  readonly raw: number;
  readonly words: number;
  readonly trees: number;
  readonly familiarity: number;
  /** How well the row fits one of the known kinds of work; without topics, the familiarity. */
  readonly certainty: number;
}

/** The target of each row: its gain, mixed with the mean gain of its task. */
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

const noTopics: Topics = { count: 0, weight: new Float64Array(0), bias: new Float64Array(0), names: [] };

/** Number of parts that the rows are split into, so that trees see topics of rows that these were not learnt from; and solver steps. */
const topicFolds = 4;
const topicSteps = 12;

/**
 * Learns the topics from all chosen rows, and returns their columns for training the trees. In these, each row's values were learnt without
 * its group; otherwise trees would trust words more than they can in use.
 */
function learnTopics(
  matrix: FeatureMatrix,
  rows: readonly LabelledRow[],
  chosen: Int32Array,
  targets: Float64Array,
  values: Float64Array,
  settings: FitSettings,
): { readonly topics: Topics; readonly columns: readonly Float64Array[] } {
  if (settings.topics === 0 || settings.forests === 0) return { topics: noTopics, columns: [] };
  const kinds = largest(
    Array.from(chosen, (row) => kindOf(rows[row]!)),
    settings.topics,
  );
  const names = ['words: gain', 'words: weak score', 'words: strong score', ...kinds.map((kind) => `words: ${kind.slice(0, 64)}`)];
  const goals = [
    targets,
    Float64Array.from(rows, ({ weak }) => weak),
    Float64Array.from(rows, ({ strong }) => strong),
    ...kinds.map((kind) => Float64Array.from(rows, (row) => (kindOf(row) === kind ? 1 : 0))),
  ];
  const columns = names.map(() => new Float64Array(matrix.rows));
  const folds = groupFolds(rows, topicFolds, settings.seed);
  for (let fold = 0; fold < topicFolds; fold++) {
    const kept = chosen.filter((row) => folds.of[row] !== fold);
    const held = chosen.filter((row) => folds.of[row] === fold);
    if (kept.length === 0) continue;
    const partValues = tfidf(matrix, vocabulary(matrix, kept));
    const part = ridges(matrix, partValues, kept, goals, settings.penalty, null, topicSteps);
    for (const [k, column] of topicColumns(matrix, { ...part, names }, partValues, held).entries())
      for (const row of held) columns[k]![row] = column[row]!;
  }
  return { topics: { ...ridges(matrix, values, chosen, goals, settings.penalty, null, topicSteps), names }, columns };
}

/** One column per topic, filled for the given rows. */
function topicColumns(matrix: FeatureMatrix, topics: Topics, values: Float64Array, rows: Int32Array): Float64Array[] {
  const columns = topics.names.map(() => new Float64Array(matrix.rows));
  const out = new Float64Array(topics.count);
  for (const row of rows) {
    linearsAt(topics, matrix, values, row, out);
    for (let k = 0; k < topics.count; k++) columns[k]![row] = out[k]!;
  }
  return columns;
}

function kindOf({ category, task, source }: LabelledRow): string {
  return category ?? task ?? source;
}

/** The most frequent names, at most `most`; empty if there is only one. */
function largest(names: readonly string[], most: number): string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  if (counts.size < 2) return [];
  return [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1)).slice(0, most);
}

/** The words' score: ridge regression on the gain, mixed with the log odds that the weak model fails, scaled to the same mean and unit. */
function wordsScore(
  matrix: FeatureMatrix,
  values: Float64Array,
  rows: readonly LabelledRow[],
  chosen: Int32Array,
  targets: Float64Array,
  { penalty, failShare, gainPerLogit }: FitSettings,
): Linear {
  const gain = ridge(matrix, values, chosen, targets, penalty);
  if (failShare === 0) return gain;
  const fails = logistic(
    matrix,
    values,
    chosen,
    Float64Array.from(rows, ({ weak }) => 1 - weak),
    penalty,
  );
  let logit = 0;
  let mean = 0;
  for (const row of chosen) {
    logit += linearAt(fails, matrix, values, row) / chosen.length;
    mean += targets[row]! / chosen.length;
  }
  return {
    weight: gain.weight.map((weight, bucket) => (1 - failShare) * weight + failShare * gainPerLogit * fails.weight[bucket]!),
    bias: (1 - failShare) * gain.bias + failShare * (mean + gainPerLogit * (fails.bias - logit)),
  };
}

/** Fits a model to the chosen rows. Deterministic by the settings. */
export function fit(matrix: FeatureMatrix, rows: readonly LabelledRow[], chosen: Int32Array, settings: FitSettings): FittedParts {
  const words = vocabulary(matrix, chosen);
  const values = tfidf(matrix, words);
  if (settings.kind === 'classic') {
    // The linear part predicts the log odds of "the weak model fails", so that higher means the strong one is needed more.
    const fails = Float64Array.from(rows, ({ weak }) => 1 - weak);
    return { vocabulary: words, linear: logistic(matrix, values, chosen, fails, settings.penalty), topics: noTopics, forest: null };
  }
  const targets = softTargets(rows, chosen, settings);
  const linear = wordsScore(matrix, values, rows, chosen, targets, settings);
  const { topics, columns } = learnTopics(matrix, rows, chosen, targets, values, settings);
  // A hundredth of the rows: fewer make a noisy mean, more would leave nothing to split in small sets.
  const leaf = Math.max(20, Math.min(60, Math.round(chosen.length / 100)));
  const forests: Forest[] = [];
  for (let at = 0; at < settings.forests; at++) {
    forests.push(
      boost([...matrix.columns, ...columns], chosen, targets, {
        trees: settings.trees,
        depth: settings.depth,
        rate: settings.rate,
        leaf,
        shrink: leaf / 2,
        rowShare: 0.6,
        featureShare: 0.3,
        seed: settings.seed * 1000 + at,
      }),
    );
  }
  return { vocabulary: words, linear, topics, forest: forests.length === 0 ? null : meanForest(forests) };
}

/** Without kinds of work it is unknown which prompts are known, so the trees keep their share. */
export function leaningOf({ topics, forest }: FittedParts, { leaning }: FitSettings): Leaning | undefined {
  return forest !== null && topics.count > plainTopics ? leaning : undefined;
}

/** Raw scores of the chosen rows, like those of the finished model (whose tables are rounded; these are not). */
export function rawScores(parts: FittedParts, matrix: FeatureMatrix, chosen: Int32Array, settings: FitSettings): RawScore[] {
  const values = tfidf(matrix, parts.vocabulary);
  const columns = [...matrix.columns, ...topicColumns(matrix, parts.topics, values, chosen)];
  return Array.from(chosen, (row) => {
    const words = linearAt(parts.linear, matrix, values, row);
    const trees = parts.forest === null ? words : forestAt(parts.forest, columns, row);
    const familiarity = familiarityOf(matrix, row, parts.vocabulary);
    let fits = 0;
    for (let k = plainTopics; k < parts.topics.count; k++) fits = Math.max(fits, columns[matrix.columns.length + k]![row]!);
    const share = treeShareAt(settings.treeShare, leaningOf(parts, settings), fits);
    const raw = settings.kind === 'classic' ? 1 / (1 + Math.exp(-words)) : (1 - share) * words + share * trees;
    const certainty = parts.topics.count > plainTopics ? fits : familiarity;
    return { raw, words, trees, familiarity, certainty };
  });
}
