import { seeded } from '../router/training/random.ts';

/** A sum with its 95% confidence interval, as if the requests were sampled again from the same traffic. */
export interface Interval {
  readonly sum: number;
  readonly low: number;
  readonly high: number;
  readonly method: 'bootstrap' | 'normal';
}

/** Up to this many values are resampled; the sum of more is close to normal, and its interval is computed directly. */
const bootstrapMost = 5_000;
const resamples = 2_000;
/** Quantile of the standard normal distribution for 95%. */
const z = 1.959964;

/** Adds up values and computes a confidence interval of the sum. Memory is bounded; the same values give the same interval. */
export class IntervalSum {
  #values: number[] | null = [];
  #n = 0;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    this.#n++;
    // Welford's algorithm: squares of large sums would lose small differences.
    const delta = value - this.#mean;
    this.#mean += delta / this.#n;
    this.#squares += delta * (value - this.#mean);
    if (this.#values === null) return;
    this.#values.push(value);
    if (this.#values.length > bootstrapMost) this.#values = null;
  }

  get count(): number {
    return this.#n;
  }

  /** Null for fewer than two values, which have no variance. */
  result(): Interval | null {
    const n = this.#n;
    if (n < 2) return null;
    const sum = this.#mean * n;
    const values = this.#values;
    if (values === null) {
      const half = z * Math.sqrt((this.#squares / (n - 1)) * n);
      return { sum, low: sum - half, high: sum + half, method: 'normal' };
    }
    const random = seeded(n);
    const sums = new Float64Array(resamples);
    for (let round = 0; round < resamples; round++) {
      let drawn = 0;
      for (let i = 0; i < n; i++) drawn += values[Math.floor(random() * n)]!;
      sums[round] = drawn;
    }
    sums.sort();
    return { sum, low: sums[Math.floor(resamples * 0.025)]!, high: sums[Math.ceil(resamples * 0.975) - 1]!, method: 'bootstrap' };
  }
}
