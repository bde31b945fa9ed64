/** A rising curve through a few points. */
export interface RisingCurve {
  readonly at: readonly number[];
  readonly value: readonly number[];
}

/** Smallest slope between two points, so that the order of scores is preserved. */
const leastSlope = 0.02;

/**
 * A rising piecewise-linear curve from scores to mean outcomes: bins of equally many rows, pooled where they fall
 * (pool-adjacent-violators), each shrunk to the overall mean with a weight of `prior` rows. `points`: most bins.
 */
export function risingCurve(scores: Float64Array, outcomes: Float64Array, points: number, prior: number): RisingCurve {
  const order = Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]!);
  const all = outcomes.reduce((sum, value) => sum + value, 0) / outcomes.length;
  let pools: { score: number; outcome: number; rows: number }[] = [];
  for (let bin = 0; bin < points; bin++) {
    const part = order.slice(Math.floor((bin * order.length) / points), Math.floor(((bin + 1) * order.length) / points));
    if (part.length === 0) continue;
    let score = 0;
    let outcome = prior * all;
    for (const row of part) {
      score += scores[row]!;
      outcome += outcomes[row]!;
    }
    pools.push({ score: score / part.length, outcome: outcome / (part.length + prior), rows: part.length });
    while (pools.length > 1 && pools.at(-2)!.outcome >= pools.at(-1)!.outcome) {
      const [a, b] = pools.splice(-2) as [(typeof pools)[0], (typeof pools)[0]];
      const rows = a.rows + b.rows;
      pools.push({ score: (a.score * a.rows + b.score * b.rows) / rows, outcome: (a.outcome * a.rows + b.outcome * b.rows) / rows, rows });
    }
  }
  pools = pools.filter(({ score }, at) => at === 0 || score > pools[at - 1]!.score);
  const value = pools.map(({ outcome }) => outcome);
  for (let i = 1; i < pools.length; i++)
    value[i] = Math.max(value[i]!, value[i - 1]! + leastSlope * (pools[i]!.score - pools[i - 1]!.score));
  return { at: pools.map(({ score }) => score), value };
}

/** Linear between points, with a slope of 1 beyond the ends. */
export function valueAt({ at, value }: RisingCurve, score: number): number {
  const last = at.length - 1;
  if (score <= at[0]!) return value[0]! + (score - at[0]!);
  if (score >= at[last]!) return value[last]! + (score - at[last]!);
  let high = 1;
  while (at[high]! < score) high++;
  const share = (score - at[high - 1]!) / (at[high]! - at[high - 1]!);
  return value[high - 1]! * (1 - share) + value[high]! * share;
}
