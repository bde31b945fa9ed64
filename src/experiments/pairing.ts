import { limits } from '../lib/limits.ts';

/** Blocks used only to learn a bound: nothing is compared in them. */
const learningBlocks = 10;
/** Amounts are capped at this multiple of the control's mean, because they have no upper bound of their own. */
const capTimes = 4;

/**
 * Turns the observations of two arms, as they arrive, into differences in [-1, 1] whose mean is at most 0 while the treatment does no harm.
 * Each uses the newest waiting observations, in numbers proportional to the arms' shares, and nothing waits long: changes over the day
 * affect both arms.
 */
export class Pairing {
  readonly #kind: 'score' | 'amount';
  readonly #tolerance: number;
  readonly #emit: (difference: number) => void;
  readonly #control: number[] = [];
  readonly #treatment: number[] = [];
  #perBlock = { control: 1, treatment: 1 };
  #blocks = 0;
  #controlSum = 0;
  #controlCount = 0;

  /**
   * `score`: 0..1, higher is better, `tolerance` in the same unit. `amount`: 0 or more, lower is better, `tolerance` relative (0.1: a tenth
   * more is no harm).
   */
  constructor(kind: 'score' | 'amount', tolerance: number, emit: (difference: number) => void) {
    this.#kind = kind;
    this.#tolerance = tolerance;
    this.#emit = emit;
  }

  /** Sets the treatment's share of future observations, strictly between 0 and 1. */
  share(treatment: number): void {
    const ratio = (1 - treatment) / treatment;
    this.#perBlock = { control: clamp(Math.round(ratio)), treatment: clamp(Math.round(1 / ratio)) };
  }

  observe(arm: 'control' | 'treatment', value: number): void {
    const waiting = arm === 'control' ? this.#control : this.#treatment;
    waiting.push(value);
    const { control, treatment } = this.#perBlock;
    if (waiting.length > limits.pairingBlocks * this.#perBlock[arm]) waiting.shift();
    if (this.#control.length < control || this.#treatment.length < treatment) return;
    this.#compare(this.#control.splice(-control), this.#treatment.splice(-treatment));
  }

  #compare(control: readonly number[], treatment: readonly number[]): void {
    if (this.#kind === 'score') {
      this.#emit((mean(control) - mean(treatment) - this.#tolerance) / (1 + this.#tolerance));
      return;
    }
    // The bound only uses earlier blocks: it must not depend on the values that it caps.
    const cap = (capTimes * this.#controlSum) / this.#controlCount;
    this.#blocks++;
    for (const value of control) this.#controlSum += value;
    this.#controlCount += control.length;
    if (this.#blocks <= learningBlocks || !(cap > 0)) return;
    const cut = (values: readonly number[]): number => mean(values.map((value) => Math.min(value, cap))) / cap;
    this.#emit((cut(treatment) - (1 + this.#tolerance) * cut(control)) / (1 + this.#tolerance));
  }
}

function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function clamp(count: number): number {
  return Math.min(Math.max(1, count), limits.pairingArm);
}
