import type { PairCalibration, PairPoint } from '../model/types.ts';
import { relativeGap, type Scored } from './metrics.ts';

/** A row with the score that it got while held out. */
export interface PairRow extends Scored {
  readonly group: string;
  readonly weakModel: string;
  readonly strongModel: string;
}

/** z of a one-sided 95% bound. */
const z95 = 1.645;

/** Fewest rows of a pair for a calibration. */
const leastRows = 100;

/** Number of thresholds per pair. */
const points = 64;

/** The effect of thresholds on each pair among the rows, with bounds. Pairs with few rows are left out; most rows first. */
export function calibratePairs(rows: readonly PairRow[]): PairCalibration[] {
  const pairs = new Map<string, PairRow[]>();
  for (const row of rows) {
    const key = `${row.weakModel}\n${row.strongModel}`;
    pairs.set(key, [...(pairs.get(key) ?? []), row]);
  }
  return [...pairs.values()]
    .filter((pair) => pair.length >= leastRows)
    .sort((a, b) => b.length - a.length)
    .slice(0, 64)
    .map((pair) => ({
      weakModel: pair[0]!.weakModel,
      strongModel: pair[0]!.strongModel,
      rows: pair.length,
      gap: relativeGap(pair),
      points: pairPoints(pair),
    }));
}

/** Thresholds at equal shares of rows, with loss and bound. */
function pairPoints(rows: readonly PairRow[]): PairPoint[] {
  const order = [...rows].sort((a, b) => a.score - b.score);
  const result: PairPoint[] = [];
  for (let at = 1; at <= points; at++) {
    const moved = Math.floor((at * order.length) / points);
    const threshold = order[moved - 1]?.score;
    if (threshold === undefined || threshold === result.at(-1)?.threshold) continue;
    result.push(pointAt(order, threshold));
  }
  return result;
}

/**
 * Loss of a threshold and its upper bound. The loss is a quotient of sums over groups; its error follows by linearisation, with independent
 * groups. The rule of three is added, because a few rows without loss prove little.
 */
function pointAt(rows: readonly PairRow[], threshold: number): PairPoint {
  const groups = new Map<string, { lost: number; strong: number }>();
  let lost = 0;
  let strong = 0;
  let moved = 0;
  for (const row of rows) {
    const group = groups.get(row.group) ?? { lost: 0, strong: 0 };
    const gain = row.score <= threshold ? row.strong - row.weak : 0;
    if (row.score <= threshold) moved++;
    group.lost += gain;
    group.strong += row.strong;
    lost += gain;
    strong += row.strong;
    groups.set(row.group, group);
  }
  const loss = strong === 0 ? 0 : lost / strong;
  let square = 0;
  for (const group of groups.values()) square += (group.lost - loss * group.strong) ** 2;
  const error = strong === 0 ? 1 : Math.sqrt(square) / strong;
  return {
    threshold,
    weakShare: moved / rows.length,
    loss,
    upper: loss + z95 * error + 3 / groups.size / Math.max(0.1, strong / rows.length) / Math.max(1, moved),
  };
}
