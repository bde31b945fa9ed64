import { seeded } from '../router/training/random.ts';

/** A sum with the interval in which it lies with 95% confidence, as if the requests were drawn anew from the same traffic. */
export interface Interval {
  readonly sum: number;
  readonly low: number;
  readonly high: number;
  readonly method: 'bootstrap' | 'normal';
}

/** Up to so many values are resampled; the sum of more is as good as normal, and its interval is reckoned. */
const bootstrapMost = 5_000;
const resamples = 2_000;
/** Of the standard normal distribution, for 95%. */
const z = 1.959964;

/** Adds up values, and says how sure their sum is. Memory is bounded; the same values give the same interval. */
export class IntervalSum {
  #values: number[] | null = [];
  #n = 0;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    this.#n++;
    // Welford's way: squares of large sums would lose the small differences.
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

  /** Null for fewer than two values: one says nothing of others. */
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
