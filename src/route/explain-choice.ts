import type { ExchangeRecord } from '../record/types.ts';
import type { ModelsVerdict } from '../router/candidates/types.ts';
import type { RouterVerdict, Unlike } from '../router/model/verdict.ts';
import type { LearningMark } from '../router/online/types.ts';
import { faults, money, target } from './explain-words.ts';
import type { Decision } from './types.ts';

/** The classifier and its signals. */
export function verdictLines({ verdict }: ExchangeRecord): string[] {
  if (verdict === null) return [];
  const lines = [
    '',
    `Verdict: ${verdict.tier}, score ${verdict.score.toFixed(3)}, confidence ${verdict.confidence.toFixed(2)}${verdict.unsure ? ' (unsure: the safer tier was taken)' : ''}`,
    `  task ${verdict.task}${verdict.classifiedTask === undefined ? '' : ` (the caller said so; classified as ${verdict.classifiedTask})`}, domain ${verdict.domain}, language ${verdict.language}`,
  ];
  const signals = verdict.signals
    .filter(({ name, share }) => share !== 0 || name.startsWith('example '))
    .sort((a, b) => Math.abs(b.share) - Math.abs(a.share) || (a.name < b.name ? -1 : 1));
  for (const { name, value, share } of signals) lines.push(`  ${share < 0 ? '-' : '+'}${Math.abs(share).toFixed(3)}  ${name} = ${value}`);
  return lines;
}

const unlikes: Readonly<Record<Unlike, string>> = {
  words: 'it does not know the words',
  kind: 'it was calibrated on other kinds of work',
  language: 'it knows English only',
  tools: 'it has not seen tools',
  media: 'it reads text only',
  conversation: 'it has not seen conversations',
};

/** The learned router. */
export function learnedLines(learned: RouterVerdict): string[] {
  const limit = learned.threshold === null ? 'no threshold keeps the promise' : `threshold ${learned.threshold.toFixed(3)}`;
  const from =
    learned.calibration === null
      ? learned.acts
        ? 'the strictest of all pairs'
        : 'no calibration of this pair: only recorded'
      : `calibrated on ${learned.calibration}`;
  const lines = [
    '',
    `Learned router ${learned.model}: gain of the stronger model ${learned.gain.toFixed(3)} ± ${learned.uncertainty.toFixed(3)}, ${learned.says === null ? 'no verdict' : `so the ${learned.says} model`}`,
  ];
  lines.push(
    `  ${limit} for ${(learned.maxLoss * 100).toFixed(1)}% loss (${from}); it knows ${(learned.familiarity * 100).toFixed(0)}% of the words`,
  );
  if (learned.abstained !== null) lines.push(`  abstained: ${unlikes[learned.abstained]}`);
  for (const { name, share } of learned.influences) lines.push(`  ${share < 0 ? '-' : '+'}${Math.abs(share).toFixed(3)}  ${name}`);
  return lines;
}

const objectives = (objective: ModelsVerdict['objective']): string =>
  objective.kind === 'loss'
    ? `the cheapest within ${(objective.maxLoss * 100).toFixed(1)}% loss`
    : objective.kind === 'cost'
      ? `the best within ${(objective.maxShare * 100).toFixed(0)}% of the cost`
      : `a point of quality is worth $${(objective.usd / 100).toPrecision(3)}`;

/** Several models, by expected quality and cost. */
export function modelsLines({ model, objective, usdPerScore, candidates, probe }: ModelsVerdict): string[] {
  const price =
    usdPerScore === null
      ? 'too little traffic for a price of quality: held for this request alone'
      : `over the last requests a point of quality is worth $${(usdPerScore / 100).toPrecision(3)}`;
  const lines = ['', `Models compared by quality model ${model}: ${objectives(objective)}; ${price}`];
  for (const [at, one] of candidates.entries()) {
    const known = one.usable ? '' : '; neither public outcomes nor grades enough: not taken';
    lines.push(
      `  ${one.model}: the requested model gains ${one.expected.toFixed(3)} ± ${one.spread.toFixed(3)} (${one.gain.toFixed(3)} before ${Math.round(one.grades)} grades)${known}${at === probe ? '; drawn by lot' : ''}`,
    );
  }
  return lines;
}

const whys: Readonly<Record<LearningMark['why'], string>> = {
  upgrade: 'an answer to a request like it got a low grade',
  probe: 'drawn by lot, so that both models get grades',
  grades: 'by the grades of its template and workspace',
  prior: 'too little traffic yet to say anything',
};

/** What grades say. */
export function learningLines({ template, why, says, gain, expected, spread, index, threshold }: LearningMark): string[] {
  const lines = [
    '',
    `Learning from grades: template ${template}, ${says === null ? 'says nothing' : `the ${says === 'weak' ? 'weak' : 'requested'} model`} (${whys[why]})`,
  ];
  if (gain !== null && expected !== null && spread !== null) {
    lines.push(
      `  gain ${gain.toFixed(3)} by the router, ${expected.toFixed(3)} ± ${spread.toFixed(3)} after the grades${index === undefined ? '' : `, ${index.toFixed(3)} with a margin for its error`}; ${threshold === null ? 'no threshold keeps the promise' : `threshold ${threshold.toFixed(3)}`}`,
    );
  }
  return lines;
}

/** The parameter that a model refuses, or what its API has no place for. */
function aboutFault({ refused, obstacles }: Decision['candidates'][number]): string {
  if (refused !== undefined) return ` (${refused})`;
  return obstacles === undefined ? '' : ` (${obstacles.map(({ path, why }) => `${path} ${why}`.trim()).join('; ')})`;
}

/** The candidates. */
export function decisionLines(decision: Decision): string[] {
  if (decision.candidates.length === 0) return ['', 'Candidates: none was looked at'];
  const rows = decision.candidates.map((candidate) => [
    candidate.chosen ? '*' : ' ',
    target(candidate.target),
    candidate.tier,
    candidate.outputTokens === undefined ? money(candidate.estimate) : `${money(candidate.estimate)} (${candidate.outputTokens} tokens)`,
    candidate.disqualified === null
      ? candidate.chosen
        ? 'chosen'
        : 'can do it, not chosen'
      : `no: ${faults[candidate.disqualified]}${aboutFault(candidate)}`,
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return [
    '',
    `Candidates, estimated for ${decision.assumedOutputTokens} output tokens (requested model: ${money(decision.baselineEstimate)})`,
    ...rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`),
  ];
}
