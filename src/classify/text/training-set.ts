import { readCorpus, readSecond, withOpinions, type LabelledPrompt } from './corpus.ts';
import type { Hashed, TextRow } from './example.ts';
import { foldVectors } from './fold.ts';
import type { ScoreCurve } from './model.ts';
import type { TaskOdds } from './pack.ts';
import { subjectRows, tierRows } from './public-rows.ts';
import { hashRows, randomOf, trainText, type TextWeights } from './train.ts';
import { readVectors, type WordVectors } from './vectors.ts';

/** Everything that trains the text model. */
export interface TrainingSet {
  readonly corpus: readonly LabelledPrompt[];
  readonly publicRows: readonly TextRow[];
  /** Two rows per prompt with two label sets, then the public rows. */
  readonly rows: readonly TextRow[];
  readonly hashed: readonly Hashed[];
  /** For each of the rows of `corpus`, which come first, the index of its prompt. */
  readonly promptAt: readonly number[];
  readonly vectors: WordVectors | null;
}

/**
 * Reads the prompts of `folder` (data/prompts), with `publicFolder` the public rows, and with `vectorFile` the word vectors. Throws
 * SluiceError SLUICE_ROWS_INVALID, naming file and line.
 */
export function readTrainingSet(
  folder: string,
  { publicFolder, vectorFile }: { readonly publicFolder?: string | undefined; readonly vectorFile?: string | undefined },
): TrainingSet {
  const corpus = readCorpus(folder);
  const { rows: own, at: promptAt } = withOpinions(corpus, readSecond(folder));
  const publicRows = publicFolder === undefined ? [] : [...tierRows(publicFolder, 'train'), ...subjectRows(publicFolder)];
  const vectors = vectorFile === undefined ? null : readVectors(vectorFile);
  const grams = hashRows(corpus, vectors);
  const hashed = [...promptAt.map((at) => grams[at]!), ...hashRows(publicRows, vectors)];
  return { corpus, publicRows, rows: [...own, ...publicRows], hashed, promptAt, vectors };
}

/**
 * Thirds of the batches: a whole batch is in one third, public tiers are dealt in turn, other public rows are in none (null). Each language is
 * dealt evenly: drawn at random, one third may hold most of a language that has few batches, and its figures would be those of another corpus.
 */
export function thirdsOf({ rows, promptAt }: Pick<TrainingSet, 'rows' | 'promptAt'>): (number | null)[] {
  const random = randomOf(11);
  const sizes = new Map<string, number>();
  for (const { group } of rows.slice(0, promptAt.length)) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const drawn = [...sizes.keys()].map((group) => ({ group, at: random() })).sort((a, b) => a.at - b.at);
  const held = new Map<string, [number, number, number]>();
  const ofGroup = new Map<string, number>();
  for (const { group } of drawn) {
    const language = group.slice(0, group.indexOf('/'));
    const of = held.get(language) ?? [0, 0, 0];
    const third = of.indexOf(Math.min(...of));
    of[third]! += sizes.get(group)!;
    held.set(language, of);
    ofGroup.set(group, third);
  }
  return rows.map(({ group, house }, at) => (house === true ? at % 3 : at < promptAt.length ? ofGroup.get(group)! : null));
}

/** Trains on the rows that `keep` selects. */
export function trainOn({ rows, hashed, vectors }: TrainingSet, keep: (at: number) => boolean): TextWeights {
  const some = rows.filter((_, at) => keep(at));
  const grams = hashed.filter((_, at) => keep(at));
  const weights = trainText(some, grams);
  return vectors === null ? weights : foldVectors(weights, { rows: some, hashed: grams, vectors });
}

/**
 * How the parts make the score. Chosen on labelled prompts of other sources and on the batches left out, for all languages and fields at
 * once.
 */
export const scoreShape: Omit<ScoreCurve, 'mean' | 'from' | 'to'> = {
  slope: 1.2,
  cuts: [0.43, 0.55],
  power: 1_000,
  house: { power: 0.1, bias: 2.75, steep: 3 },
  routine: 0.25,
  routineFrom: 0.19,
  routineUnless: 0.9,
  delicate: 0.2,
  delicateFrom: 0.3,
  delicateUnless: 0.72,
};

/**
 * People ask for more finished texts and fewer answers than the corpus does: on prompts of others, read without labels, writing is a third
 * and questions a fifth. Nearly all of those prompts are English; for other languages half of it is assumed.
 */
export const taskOdds: TaskOdds = { languages: ['en', 'und'], elsewhere: 0.5, of: { writing: 2.7, question: 0.67 } };

/** The score's curve over a mean level. */
export function scoreCurve(meanLevel: number): ScoreCurve {
  return { mean: Number(meanLevel.toPrecision(6)), ...scoreShape, from: [-0.8, 0, ...scoreShape.cuts, 1], to: [0, 0.05, 0.3, 0.6, 1] };
}
