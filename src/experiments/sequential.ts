import { normalDensity, normalQuantile } from './normal.ts';

export interface SequentialOptions {
  /** Highest probability of ever raising a false alarm. */
  readonly falseAlarm: number;
  /** Observations within which the test should be as powerful as possible. It remains valid, and continues, after them. */
  readonly horizon: number;
}

/** Share of the stake that is optimised for the horizon; the rest is bet without one. */
const horizonShare = 0.95;
/** Fixed fractions over which the rest is spread: for harm from a fiftieth to two fifths of the scale. */
const fractions = [0.02, 0.05, 0.1, 0.2, 0.4] as const;
/** Most of a stake that one observation may cost. */
const maxFraction = 0.5;
/** Variance assumed before any observation, and the weight of that assumption in observations. */
const priorVariance = 0.3;
const priorCount = 20;
/** A stake this small cannot change the outcome any more, so it is not bet. */
const hopeless = 1e-9;

/**
 * Tests, one observation at a time, that the mean of numbers in [-1, 1] is not above 0, and may be looked at after each.
 *
 * It bets against that claim: a stake of 1 is multiplied by 1 + fraction × observation, where the fraction is chosen before the
 * observation is seen. If the claim holds, the stake is a non-negative supermartingale, so it reaches 1/falseAlarm with a probability of
 * falseAlarm at most, at whatever moment somebody looks (Ville's inequality): exact for any distribution, and also when it drifts.
 *
 * The fraction is chosen as one would hedge a bet that pays 1/falseAlarm as soon as the sum crosses a constant boundary within the
 * horizon (Browne's goal problem with a barrier): nearly as sharp as a test with that boundary, and exact, which that one is not.
 */
export class SequentialTest {
  readonly threshold: number;
  readonly #firstHorizon: number;
  #left: number;
  #playing = 1;
  readonly #resting: number[] = fractions.map(() => 1);
  #squares = priorVariance * priorCount;
  #count = 0;
  #highest = 1;

  constructor({ falseAlarm, horizon }: SequentialOptions) {
    this.threshold = 1 / falseAlarm;
    this.#firstHorizon = horizon;
    this.#left = horizon;
  }

  /** The current stake: 1 is no evidence, `threshold` is an alarm. */
  get evidence(): number {
    return horizonShare * this.#playing + this.#rest();
  }

  /** The highest stake so far; its inverse is a p-value that is valid at any time. */
  get highest(): number {
    return this.#highest;
  }

  get alarm(): boolean {
    return this.#highest >= this.threshold;
  }

  get observations(): number {
    return this.#count;
  }

  /** `value` in [-1, 1]; values above 0 are evidence against the claim. True once the alarm is raised. */
  observe(value: number): boolean {
    const fraction = this.#fraction();
    this.#playing *= 1 + fraction * value;
    for (let i = 0; i < fractions.length; i++) this.#resting[i]! *= 1 + fractions[i]! * value;
    this.#squares += value * value;
    this.#count++;
    if (--this.#left <= 0) this.#left = this.#firstHorizon;
    this.#highest = Math.max(this.#highest, this.evidence);
    return this.alarm;
  }

  #rest(): number {
    let sum = 0;
    for (const stake of this.#resting) sum += stake;
    return ((1 - horizonShare) * sum) / fractions.length;
  }

  #fraction(): number {
    // Slightly beyond the goal, so that rounding does not stop just short of it.
    const goal = ((this.threshold - this.#rest()) / horizonShare) * 1.001;
    const reached = Math.min(0.9999, this.#playing / goal);
    if (goal <= 0 || reached < hopeless) return 0;
    const variance = this.#left * (this.#squares / (this.#count + priorCount));
    const z = normalQuantile(1 - reached / 2);
    return Math.min(maxFraction, (2 * normalDensity(z)) / (reached * Math.sqrt(variance)));
  }
}
