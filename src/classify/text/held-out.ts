import { rankCorrelation } from '../../lib/rank-correlation.ts';
import { languageOf } from '../language.ts';
import type { Hashed, TextRow } from './example.ts';
import { head, textFields, textTasks } from './heads.ts';
import { delicateOf, hardnessOf, rawScore, routineOf } from './model.ts';
import { taskBiases, type Judged } from './pack.ts';
import { TextWords } from './scan.ts';
import { outputsOf, type TextWeights } from './train.ts';
import { scoreShape, taskOdds } from './training-set.ts';

/** The outputs of weights for a row that did not train them, with its labels. */
export function judgedOf(row: TextRow, weights: TextWeights, grams: Hashed): Judged {
  return {
    z: outputsOf(weights, grams),
    task: row.task === null ? null : textTasks.indexOf(row.task),
    level: row.level,
    tier: row.tier,
    fields: row.fields === null ? null : textFields.map((field) => row.fields!.includes(field)),
  };
}

const words = new TextWords();

/** The index of the task that the model would give a prompt with these outputs. */
function saidTask({ z }: Pick<Judged, 'z'>, temperature: number, prompt: string): number {
  const known = taskOdds.languages.includes(languageOf(prompt, words.read(prompt).words));
  const share = known ? 1 : taskOdds.elsewhere;
  const more = taskBiases(taskOdds.of, temperature);
  return highest(
    z.map((value, k) => value + share * (more[k - head.task] ?? 0)),
    head.task,
    textTasks.length,
  );
}

/** The index within a head of its highest output. */
function highest(z: Float64Array, from: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (z[from + k]! > z[from + best]!) best = k;
  return best;
}

interface MeasureInput {
  readonly judged: readonly Judged[];
  readonly rows: readonly TextRow[];
  readonly meanLevel: number;
  readonly temperature: { readonly task: number; readonly field: number; readonly tier: number };
}

/** Shares and the rank correlation of score and level, rounded to thousandths, over rows that did not train. */
export function measureHeldOut({ judged, rows, meanLevel, temperature }: MeasureInput): Record<string, number> {
  const ownRows = rows.filter(({ level }) => level !== null);
  const own = judged.filter((_, at) => rows[at]!.level !== null);
  const right = new Set(own.filter((row, at) => saidTask(row, temperature.task, ownRows[at]!.prompt) === row.task));
  const languages = ownRows.map(({ group }) => group.split('/')[0]!);
  const taskRight = (row: Judged): boolean => right.has(row);
  const tierRight = ({ z, tier }: Judged): boolean => highest(z, head.tier, 3) === tier;
  const scores = own.map(({ z }) => rawScoreOf(z, meanLevel, temperature));
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
      judged.filter((_, at) => rows[at]!.house === true),
      tierRight,
    ),
    levelRankCorrelation: thousandths(
      rankCorrelation(
        scores,
        own.map(({ level }) => level!),
      ),
    ),
  };
}

/** The score before the curve. */
export function rawScoreOf(z: Float64Array, meanLevel: number, temperature: MeasureInput['temperature']): number {
  const softmax = (from: number, count: number, t: number): number[] => {
    const e = Array.from({ length: count }, (_, k) => Math.exp(z[from + k]! / t));
    const sum = e.reduce((total, value) => total + value, 0);
    return e.map((value) => value / sum);
  };
  return rawScore(
    { mean: meanLevel, ...scoreShape },
    {
      hardness: hardnessOf(z[head.level]!, { mean: meanLevel, slope: scoreShape.slope }),
      tiers: softmax(head.tier, 3, temperature.tier),
      house: z[head.house]!,
      delicate: delicateOf(textFields.map((_, k) => 1 / (1 + Math.exp(-z[head.field + k]! / temperature.field)))),
      routine: routineOf(softmax(head.task, textTasks.length, temperature.task)),
    },
  );
}

const thousandths = (value: number): number => Math.round(1000 * value) / 1000;

function share<T>(list: readonly T[], right: (one: T) => boolean): number {
  return thousandths(list.filter(right).length / Math.max(1, list.length));
}
