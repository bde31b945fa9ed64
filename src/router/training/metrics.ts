/**
 * How well scores route between a weak and a strong model. `gain` of a row is its strong minus its weak score; a higher score means that
 * the strong model is needed more. Rows of equal score count as their mean, in any order.
 */
export interface Scored {
  readonly score: number;
  readonly weak: number;
  readonly strong: number;
}

/** Quality kept and lost when the rows with the lowest scores go to the weak model. */
export interface CurvePoint {
  /** Share of rows on the weak model. */
  readonly weakShare: number;
  /** Share of the quality gap between the models that is kept: PGR. */
  readonly kept: number;
  /** Relative to always-strong. */
  readonly loss: number;
  /** Rows with at most this score go to the weak model; -Infinity for none. */
  readonly threshold: number;
}

/** One point per distinct score, from no rows to all rows on the weak model. Rows of one score move together. */
export function curve(rows: readonly Scored[]): CurvePoint[] {
  const order = [...rows].sort((a, b) => a.score - b.score);
  let gap = 0;
  let best = 0;
  for (const { weak, strong } of order) {
    gap += strong - weak;
    best += strong;
  }
  const points: CurvePoint[] = [{ weakShare: 0, kept: 1, loss: 0, threshold: -Infinity }];
  let lost = 0;
  for (const [at, { score, weak, strong }] of order.entries()) {
    lost += strong - weak;
    if (order[at + 1]?.score === score) continue;
    points.push({
      weakShare: (at + 1) / order.length,
      kept: gap === 0 ? 1 : 1 - lost / gap,
      loss: best === 0 ? 0 : lost / best,
      threshold: score,
    });
  }
  return points;
}

/** Mean share of the gap kept, over all shares of strong calls: 0.5 is random. NaN when the models score the same. */
export function apgr(rows: readonly Scored[]): number {
  if (rows.reduce((sum, { weak, strong }) => sum + strong - weak, 0) === 0) return NaN;
  const points = curve(rows);
  let area = 0;
  for (let at = 1; at < points.length; at++) {
    const from = points[at - 1]!;
    const to = points[at]!;
    area += ((from.kept + to.kept) / 2) * (to.weakShare - from.weakShare);
  }
  return area;
}

/** Smallest share of strong calls that keeps `share` of the gap (CPT50: 0.5). */
export function callsFor(rows: readonly Scored[], share: number): number {
  let calls = 1;
  for (const { kept, weakShare } of curve(rows)) if (kept >= share) calls = Math.min(calls, 1 - weakShare);
  return calls;
}

/** The point with the most rows on the weak model whose loss stays within `loss`. */
export function atLoss(rows: readonly Scored[], loss: number): CurvePoint {
  const points = curve(rows);
  return points.reduce((best, point) => (point.loss <= loss ? point : best), points[0]!);
}

/** Applies a threshold: rows of at most this score go to the weak model, unless `keep` says otherwise. */
export function atThreshold(
  rows: readonly Scored[],
  threshold: number,
  keep: (at: number) => boolean = () => false,
): { readonly weakShare: number; readonly loss: number } {
  let moved = 0;
  let lost = 0;
  let best = 0;
  for (const [at, { score, weak, strong }] of rows.entries()) {
    best += strong;
    if (score > threshold || keep(at)) continue;
    moved++;
    lost += strong - weak;
  }
  return { weakShare: moved / rows.length, loss: best === 0 ? 0 : lost / best };
}

/** One bin of a reliability diagram: mean score, mean gain, rows. */
export interface ReliabilityBin {
  readonly score: number;
  readonly gain: number;
  readonly rows: number;
}

/** Ten bins of equally many rows, by score. */
export function reliability(rows: readonly Scored[], bins = 10): ReliabilityBin[] {
  const order = [...rows].sort((a, b) => a.score - b.score);
  const result: ReliabilityBin[] = [];
  for (let bin = 0; bin < bins; bin++) {
    const part = order.slice(Math.floor((bin * order.length) / bins), Math.floor(((bin + 1) * order.length) / bins));
    if (part.length === 0) continue;
    const mean = (of: (row: Scored) => number): number => part.reduce((sum, row) => sum + of(row), 0) / part.length;
    result.push({ score: mean(({ score }) => score), gain: mean(({ weak, strong }) => strong - weak), rows: part.length });
  }
  return result;
}

/** Expected calibration error: the difference of predicted and real gain, averaged over bins weighted by rows. */
export function calibrationError(rows: readonly Scored[]): number {
  return reliability(rows).reduce((sum, { score, gain, rows: count }) => sum + (Math.abs(score - gain) * count) / rows.length, 0);
}

/** Gap of the pair: mean strong minus mean weak score, relative to the strong one. */
export function relativeGap(rows: readonly Scored[]): number {
  let gap = 0;
  let best = 0;
  for (const { weak, strong } of rows) {
    gap += strong - weak;
    best += strong;
  }
  return best === 0 ? 0 : gap / best;
}
