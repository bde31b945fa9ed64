import { z } from './pick.ts';
import type { Objective } from './types.ts';

/** Requests that a price is computed over, and fewest of them. */
const size = 512;
const least = 128;
/** Candidates that are remembered of one request. */
export const mostCandidates = 32;
/** Halvings of the span that the price is looked for in, in powers of ten of the mean cost of a request a score. */
const halvings = 14;
const span = { low: -4, high: 6 };
/** The price is set this far on the safe side: many requests of one template change sides at one price, and grades that come before the next computation move it. */
const margin = 1.1;

/** One remembered request: what every candidate would have cost, and what is expected of it now. */
export interface WindowRow {
  readonly requestedUsd: number;
  readonly count: number;
  /** By candidate: US dollars (NaN: not to be taken), expected gain of the requested model, what candidates are ordered by, and the standard error. */
  readonly usd: Float64Array;
  readonly expected: Float64Array;
  readonly short: Float64Array;
  readonly error: Float64Array;
  /** By candidate: which errors go together; graded templates each have their own, all else of a model is one. */
  readonly cell: Int32Array;
}

interface Totals {
  usd: number;
  loss: number;
  error: number;
}

/** A ring of the requests seen last. */
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
 * US dollars that a score of 1 is worth, so that over these requests the objective is just kept: the lowest price of quality whose expected loss, with its bound, is
 * allowed, or the highest whose cost is. `level`: expected score of the requested model. `cells`: how many different cells the rows name.
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
    // A loss: quality may be cheaper still where it is kept. A cost: quality may be dearer still.
    const kept =
      objective.kind === 'loss'
        ? totals.loss + z * totals.error <= objective.maxLoss * level * rows.length
        : totals.usd <= objective.maxShare * requested;
    if (kept === (objective.kind === 'loss')) high = middle;
    else low = middle;
  }
  return objective.kind === 'loss' ? unit * 10 ** high * margin : (unit * 10 ** low) / margin;
}

/** What taking the best of each row at a price comes to. Errors of ungraded templates of a model are one error: they add up; graded ones are their own. */
function totalsAt(rows: readonly WindowRow[], price: number, sums: Float64Array): Totals {
  sums.fill(0);
  const totals: Totals = { usd: 0, loss: 0, error: 0 };
  let own = 0;
  for (const { requestedUsd, count, usd, expected, short, error, cell } of rows) {
    let best = -1;
    let lowest = requestedUsd;
    for (let at = 0; at < count; at++) {
      const total = usd[at]! + price * short[at]!;
      // NaN is not below anything.
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
    // What looks better by luck pays for no loss elsewhere.
    totals.loss += gain > 0 ? gain : Math.min(0, gain + error[best]!);
    sums[cell[best]!]! += error[best]!;
  }
  for (const sum of sums) own += sum * sum;
  totals.error = Math.sqrt(own);
  return totals;
}
