import { z } from './pick.ts';
import type { Objective } from './types.ts';

/** Largest and smallest number of requests used to compute a price. */
const size = 512;
const least = 128;
/** Most candidates remembered per request. */
export const mostCandidates = 32;
/** Bisection steps of the price search. The interval is in powers of ten of the mean request cost per score. */
const halvings = 14;
const span = { low: -4, high: 6 };
/**
 * Safety factor on the price: many requests of one template switch sides at one price, and grades that arrive before the next computation
 * move it.
 */
const margin = 1.1;

/** One remembered request: what every candidate would have cost, and its current expected result. */
export interface WindowRow {
  readonly requestedUsd: number;
  readonly count: number;
  /**
   * By candidate: US dollars (NaN when not eligible), expected gain of the requested model, the shortfall used for ordering, and the
   * standard error.
   */
  readonly usd: Float64Array;
  readonly expected: Float64Array;
  readonly short: Float64Array;
  readonly error: Float64Array;
  /** By candidate: the cell whose rows share one error. Graded templates each have their own; everything else of a model is one cell. */
  readonly cell: Int32Array;
}

interface Totals {
  usd: number;
  loss: number;
  error: number;
}

/** A ring buffer of the last requests. */
export class Ring<T> {
  readonly rows: T[] = [];
  #next = 0;

  add(row: T): void {
    if (this.rows.length < size) this.rows.push(row);
    else this.rows[this.#next] = row;
    this.#next = (this.#next + 1) % size;
  }

  get enough(): boolean {
    return this.rows.length >= least;
  }
}

/**
 * US dollars that a score of 1 is worth such that the objective is just kept over these requests: the lowest price whose expected loss,
 * with its bound, is allowed, or the highest whose cost is allowed. `level`: expected score of the requested model. `cells`: number of
 * different cells in the rows.
 */
export function priceOfQuality(rows: readonly WindowRow[], objective: Objective, level: number, cells: number): number {
  if (objective.kind === 'price') return objective.usd;
  let requested = 0;
  for (const row of rows) requested += row.requestedUsd;
  const unit = requested / Math.max(1, rows.length);
  const sums = new Float64Array(cells);
  let low = span.low;
  let high = span.high;
  for (let step = 0; step < halvings; step++) {
    const middle = (low + high) / 2;
    const totals = totalsAt(rows, unit * 10 ** middle, sums);
    // For a loss objective, search lower prices while it is kept; for a cost objective, search higher ones.
    const kept =
      objective.kind === 'loss'
        ? totals.loss + z * totals.error <= objective.maxLoss * level * rows.length
        : totals.usd <= objective.maxShare * requested;
    if (kept === (objective.kind === 'loss')) high = middle;
    else low = middle;
  }
  return objective.kind === 'loss' ? unit * 10 ** high * margin : (unit * 10 ** low) / margin;
}

/**
 * Totals when the best candidate of each row is taken at a price. Errors of a model's ungraded templates are one shared error and add up;
 * errors of graded ones are independent.
 */
function totalsAt(rows: readonly WindowRow[], price: number, sums: Float64Array): Totals {
  sums.fill(0);
  const totals: Totals = { usd: 0, loss: 0, error: 0 };
  let own = 0;
  for (const { requestedUsd, count, usd, expected, short, error, cell } of rows) {
    let best = -1;
    let lowest = requestedUsd;
    for (let at = 0; at < count; at++) {
      const total = usd[at]! + price * short[at]!;
      // NaN never compares as lower.
      if (total < lowest) {
        lowest = total;
        best = at;
      }
    }
    if (best === -1) {
      totals.usd += requestedUsd;
      continue;
    }
    totals.usd += usd[best]!;
    const gain = expected[best]!;
    // Apparent gains that may be luck do not offset losses elsewhere.
    totals.loss += gain > 0 ? gain : Math.min(0, gain + error[best]!);
    sums[cell[best]!]! += error[best]!;
  }
  for (const sum of sums) own += sum * sum;
  totals.error = Math.sqrt(own);
  return totals;
}
