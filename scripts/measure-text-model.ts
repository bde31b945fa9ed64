import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scoreSteps, stepOf, tierSharesFile, type ScoreCounts } from '../src/classify/tier-shares.ts';
import { promptKey } from '../src/classify/text/corpus.ts';
import { encodeTextModel } from '../src/classify/text/file.ts';
import { textFields, textTasks } from '../src/classify/text/heads.ts';
import { judgedOf, measureHeldOut, rawScoreOf } from '../src/classify/text/held-out.ts';
import { along } from '../src/classify/text/model.ts';
import { packModel, temperatures, type Judged } from '../src/classify/text/pack.ts';
import { randomOf, type TextWeights } from '../src/classify/text/train.ts';
import { readTrainingSet, scoreCurve, taskOdds, thirdsOf, trainOn } from '../src/classify/text/training-set.ts';

/**
 * Measures the text model on prompts that did not train it, as JSON lines. By default every third of the batches is left out in turn, so
 * that each prompt is judged once; --scores writes their scores for `sluice validate`. --curve trains on 25, 50, 75 and 100% of the batches of two thirds and measures the last third; each of
 * these models is written to the folder of --models. --dump FILE writes the outputs for every prompt left out, which scripts/train-embedding-heads.ts reads.
 * Usage: node scripts/measure-text-model.ts [--public DIR] [--vectors FILE] [--dump FILE] [--scores] [--curve [--models DIR]]
 */
const { values: flags } = parseArgs({
  options: {
    public: { type: 'string' },
    vectors: { type: 'string' },
    dump: { type: 'string' },
    curve: { type: 'boolean' },
    models: { type: 'string' },
    scores: { type: 'boolean' },
  },
});

const set = readTrainingSet(join(import.meta.dirname, '..', 'data', 'prompts'), { publicFolder: flags.public, vectorFile: flags.vectors });
const third = thirdsOf(set);
const own = set.promptAt.length;
if (flags.curve === true) curve();
else crossValidate();

function crossValidate(): void {
  const judged = new Map<number, Judged>();
  let meanLevel = 0;
  for (const fold of [0, 1, 2]) {
    const weights = trainOn(set, (at) => third[at] !== fold);
    meanLevel += weights.meanLevel / 3;
    for (const at of leftOut(fold)) judged.set(at, judgedOf(set.rows[at]!, weights, set.hashed[at]!));
  }
  print({ left: 'each third of the batches in turn', ...figures(judged, meanLevel).measured });
  if (flags.scores === true) writeFileSync(tierSharesFile, `${JSON.stringify(counted(judged, meanLevel))}\n`);
  if (flags.dump !== undefined) writeFileSync(flags.dump, [...judged].map(([at, { z }]) => dumped(at, z)).join(''));
}

function curve(): void {
  const random = randomOf(23);
  const order = new Map([...new Set(set.rows.slice(0, own).map(({ group }) => group))].map((group) => [group, random()]));
  for (const share of [0.25, 0.5, 0.75, 1]) {
    const keep = (at: number): boolean => third[at] !== 0 && (at >= own || order.get(set.rows[at]!.group)! < share);
    const weights = trainOn(set, keep);
    const judged = new Map(leftOut(0).map((at) => [at, judgedOf(set.rows[at]!, weights, set.hashed[at]!)]));
    const { measured, temperature } = figures(judged, weights.meanLevel);
    const prompts = new Set(set.promptAt.filter((_, at) => keep(at))).size;
    print({ share, prompts, ...measured });
    if (flags.models !== undefined) writeModel(join(flags.models, `text-${100 * share}.model`), weights, temperature);
  }
}

/** Scores of the prompts left out, by the first reader's task and field. */
function counted(judged: ReadonlyMap<number, Judged>, meanLevel: number): ScoreCounts {
  const { temperature } = figures(judged, meanLevel);
  const { from, to } = scoreCurve(meanLevel);
  const none = (): number[] => new Array<number>(scoreSteps).fill(0);
  const of = <Name extends string>(names: readonly Name[]): Record<Name, number[]> =>
    Object.fromEntries(names.map((name) => [name, none()])) as Record<Name, number[]>;
  const counts = { prompts: 0, all: none(), tasks: of(textTasks), domains: of(textFields) };
  for (const [at, { z }] of judged) {
    const { task, fields, level } = set.rows[at]!;
    // A prompt with two label sets has two rows; the first one has the level.
    if (at >= own || level === null) continue;
    const step = stepOf(along(from, to, rawScoreOf(z, meanLevel, temperature)));
    counts.prompts++;
    counts.all[step]!++;
    counts.tasks[task!][step]!++;
    counts.domains[fields![0]!][step]!++;
  }
  return counts;
}

function leftOut(fold: number): number[] {
  return [...set.rows.keys()].filter((at) => third[at] === fold);
}

function figures(
  judged: ReadonlyMap<number, Judged>,
  meanLevel: number,
): { readonly measured: Record<string, number>; readonly temperature: ReturnType<typeof temperatures> } {
  const all = [...judged.values()];
  const temperature = { ...temperatures(all), tier: 1 };
  return {
    temperature,
    measured: measureHeldOut({ judged: all, rows: [...judged.keys()].map((at) => set.rows[at]!), meanLevel, temperature }),
  };
}

function writeModel(file: string, weights: TextWeights, temperature: ReturnType<typeof temperatures>): void {
  const card = { name: 'curve', trainedWith: 'scripts/measure-text-model.ts', sources: [], measured: {}, limits: [] };
  const { header, tables } = packModel(weights, { odds: taskOdds, temperature, score: scoreCurve(weights.meanLevel), card });
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, encodeTextModel(header, tables));
}

function dumped(at: number, z: Float64Array): string {
  const { group, task, fields, level, tier, house } = set.rows[at]!;
  const prompt = at < own ? set.corpus[set.promptAt[at]!]! : null;
  const key = prompt === null ? null : promptKey(prompt);
  const text = prompt === null ? null : excerptOf(prompt.prompt);
  return `${JSON.stringify({ key, group, task, fields, level, tier, house, text, z: [...z].map((value) => Number(value.toPrecision(5))) })}\n`;
}

/** The beginning and the end of a prompt: where people say what they want. */
function excerptOf(prompt: string): string {
  return prompt.length <= 700 ? prompt : `${prompt.slice(0, 420)}\n${prompt.slice(-260)}`;
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
