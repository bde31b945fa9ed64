import { rankCorrelation } from '../../lib/rank-correlation.ts';
import { textFeatures } from '../../classify/features.ts';
import type { QualityModel } from '../quality/model.ts';
import type { OutcomeRow } from '../quality/outcomes.ts';
import { seeded, shuffled } from '../training/random.ts';
import { OutputTokens } from './tokens.ts';

/** How accurately output tokens were predicted. */
export interface LengthFigures {
  /** Answers per template and model that were learnt from before measuring. */
  readonly seen: number;
  readonly answers: number;
  /** Share of the answers with half to twice the expected tokens. */
  readonly within2: number;
  /** Spearman's rank correlation of expected and actual tokens over all answers, and its mean within a template and model. */
  readonly correlation: number;
  readonly correlationWithin: number;
}

/**
 * Learns answer lengths as the server does, by template (the rows' data set) and model: learns from `seen` answers of each, then predicts
 * the rest. Pairs with fewer than `seen` + 20 answers are left out; null if all are. `assumed`: output tokens when nothing is known.
 * Deterministic.
 */
export function measureLengths(
  rows: readonly OutcomeRow[],
  models: readonly string[],
  { quality, seen, assumed }: { readonly quality: QualityModel; readonly seen: number; readonly assumed: number },
): LengthFigures | null {
  const outputs = new OutputTokens();
  const expected: number[] = [];
  const took: number[] = [];
  const within: number[] = [];
  for (const template of new Set(rows.map(({ kind }) => kind))) {
    const order = shuffled(
      rows.filter(({ kind }) => kind === template),
      seeded(1),
    );
    const asked = order.map((row) => ({
      key: { template, kind: template, units: row.prompt.length },
      view: quality.view(textFeatures(row.prompt).tokens),
      row,
    }));
    for (const model of models) {
      const at = quality.indexOf(model);
      const answers = asked.flatMap(({ key, view, row }) => {
        const tokens = row.outputTokens.get(model);
        return tokens === undefined || tokens === 0 ? [] : [{ key, tokens, before: quality.tokens(view, at) ?? assumed }];
      });
      if (answers.length < seen + leastMeasured) continue;
      for (const { key, tokens, before } of answers.slice(0, seen)) outputs.observe(model, key, before, tokens, 0);
      const rest = answers.slice(seen);
      const foretold = rest.map(({ key, before }) => outputs.expected(model, key, before)?.tokens ?? before);
      expected.push(...foretold);
      took.push(...rest.map(({ tokens }) => tokens));
      within.push(
        rankCorrelation(
          foretold,
          rest.map(({ tokens }) => tokens),
        ),
      );
    }
  }
  if (took.length === 0) return null;
  return {
    seen,
    answers: took.length,
    within2: took.filter((tokens, at) => tokens <= 2 * expected[at]! && 2 * tokens >= expected[at]!).length / took.length,
    correlation: rankCorrelation(expected, took),
    correlationWithin: within.reduce((sum, value) => sum + value / within.length, 0),
  };
}

/** Fewest answers of a template and model for a figure. */
const leastMeasured = 20;
