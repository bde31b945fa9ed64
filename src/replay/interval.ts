import { seeded } from '../router/training/random.ts';

/** A value with its 95% confidence interval, as if the requests were sampled again from the same traffic. */
export interface Interval {
  readonly sum: number;
  readonly low: number;
  readonly high: number;
  readonly method: 'bootstrap' | 'normal';
}

/** A part's ratio to its base, with its 95% confidence interval. */
export interface RatioInterval {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/** Up to this many values are resampled; the sum of more is close to normal, and its interval is computed directly. */
const bootstrapMost = 5_000;
const resamples = 2_000;
/** Quantile of the standard normal distribution for 95%. */
const z = 1.959964;

interface Pair {
  readonly value: number;
  readonly base: number;
}

/**
 * Adds up values, each with the base that it is a part of, and computes confidence intervals of the sum and of its ratio to the sum of the
 * bases. Memory is bounded; the same values give the same interval.
 */
export class IntervalSum {
  #pairs: Pair[] | null = [];
  #n = 0;
  #mean = 0;
  #meanBase = 0;
  #squares = 0;
  #products = 0;
  #baseSquares = 0;

  add(value: number, base: number): void {
    this.#n++;
    // Welford's algorithm: squares of large sums would lose small differences.
    const delta = value - this.#mean;
    const deltaBase = base - this.#meanBase;
    this.#mean += delta / this.#n;
    this.#meanBase += deltaBase / this.#n;
    this.#squares += delta * (value - this.#mean);
    this.#products += delta * (base - this.#meanBase);
    this.#baseSquares += deltaBase * (base - this.#meanBase);
    if (this.#pairs === null) return;
    this.#pairs.push({ value, base });
    if (this.#pairs.length > bootstrapMost) this.#pairs = null;
  }

  get count(): number {
    return this.#n;
  }

  /** The sum of the values. Null for fewer than two values, which have no variance. */
  result(): Interval | null {
    const n = this.#n;
    if (n < 2) return null;
    const sum = this.#mean * n;
    if (this.#pairs === null) {
      const half = z * Math.sqrt((this.#squares / (n - 1)) * n);
      return { sum, low: sum - half, high: sum + half, method: 'normal' };
    }
    return { sum, ...middle(resampled(this.#pairs, ({ value }) => value)), method: 'bootstrap' };
  }

  /**
   * The sum of the values as a ratio to that of the bases. A request that is drawn again brings its base with it, so where every request
   * saves the same share, the share is certain. Null for fewer than two values, or if the bases add up to nothing.
   */
  relative(): RatioInterval | null {
    const n = this.#n;
    if (n < 2 || this.#meanBase === 0) return null;
    const ratio = this.#mean / this.#meanBase;
    if (this.#pairs === null) {
      // The residual of a ratio, value − ratio × base, has the mean 0.
      const squares = Math.max(0, this.#squares - 2 * ratio * this.#products + ratio * ratio * this.#baseSquares);
      const half = (z * Math.sqrt(squares / (n - 1) / n)) / Math.abs(this.#meanBase);
      return { ratio, low: ratio - half, high: ratio + half };
    }
    const values = resampled(this.#pairs, ({ value }) => value);
    const bases = resampled(this.#pairs, ({ base }) => base);
    // A sample of nothing but free requests has no ratio; it says nothing else than the whole does.
    return { ratio, ...middle(values.map((value, round) => (bases[round] === 0 ? ratio : value / bases[round]!))) };
  }
}

/** Sums over samples of the pairs, drawn with replacement; the same samples for the same number of pairs. */
function resampled(pairs: readonly Pair[], of: (pair: Pair) => number): Float64Array {
  const random = seeded(pairs.length);
  const sums = new Float64Array(resamples);
  for (let round = 0; round < resamples; round++) {
    let drawn = 0;
    for (let i = 0; i < pairs.length; i++) drawn += of(pairs[Math.floor(random() * pairs.length)]!);
    sums[round] = drawn;
  }
  return sums;
}

/** The middle 95% of the samples. */
function middle(samples: Float64Array): { readonly low: number; readonly high: number } {
  const sorted = Float64Array.from(samples).sort();
  return { low: sorted[Math.floor(resamples * 0.025)]!, high: sorted[Math.ceil(resamples * 0.975) - 1]! };
}
