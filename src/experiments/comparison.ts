import type { Grade } from '../grades/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { Pairing } from './pairing.ts';
import { SequentialTest } from './sequential.ts';
import type { ComparisonOptions } from '../policy/experiment-types.ts';

/**
 * The criteria by which two arms are compared. Closed list: a metric label. `quality`: grades of people, apps, judges; `checks`: of the
 * answer's form.
 */
const comparedBy = ['quality', 'checks', 'errors', 'cost', 'latency'] as const;
export type ComparedBy = (typeof comparedBy)[number];

export type ArmName = 'control' | 'treatment';

/** Share of the allowed false alarms for each test: together they raise no more than allowed. */
const shareOfAlarms: Readonly<Record<ComparedBy, number>> = { quality: 0.6, checks: 0.1, errors: 0.1, cost: 0.1, latency: 0.1 };

interface ArmFigures {
  readonly observations: number;
  /** Null if there are no observations yet. */
  readonly mean: number | null;
}

export interface MetricFigures {
  readonly control: ArmFigures;
  readonly treatment: ArmFigures;
  /** 1 is no evidence; at `threshold` the treatment is considered harmful. */
  readonly evidence: number;
  readonly threshold: number;
  readonly harm: boolean;
}

/** Two arms, and a test for each criterion by which the treatment may do harm. All tests are valid at any time. */
export class Comparison {
  readonly #metrics: Readonly<
    Record<ComparedBy, { readonly pairing: Pairing; readonly test: SequentialTest; readonly control: Sum; readonly treatment: Sum }>
  >;

  constructor({ falseAlarm, horizon, tolerance }: ComparisonOptions) {
    const metric = (name: ComparedBy) => {
      const test = new SequentialTest({ falseAlarm: falseAlarm * shareOfAlarms[name], horizon });
      const amount = name === 'cost' || name === 'latency';
      const pairing = new Pairing(amount ? 'amount' : 'score', name === 'checks' ? tolerance.quality : tolerance[name], (difference) =>
        test.observe(difference),
      );
      return { test, pairing, control: new Sum(), treatment: new Sum() };
    };
    this.#metrics = {
      quality: metric('quality'),
      checks: metric('checks'),
      errors: metric('errors'),
      cost: metric('cost'),
      latency: metric('latency'),
    };
  }

  /** Sets the treatment's share of future requests, strictly between 0 and 1. */
  share(treatment: number): void {
    for (const name of comparedBy) this.#metrics[name].pairing.share(treatment);
  }

  /** Adds one exchange to its arm. */
  record(arm: ArmName, { kind, outcome, quality, cost, timing, stream }: ExchangeRecord): void {
    // A new policy's cache is empty, so cached answers would favour the old one.
    if (kind !== 'decision' && kind !== 'shadow') return;
    // A client that disconnects and a policy that refuses tell nothing about a model.
    if (outcome !== 'complete' && outcome !== 'cut' && outcome !== 'provider-error') return;
    this.#observe(arm, 'errors', outcome === 'complete' ? 1 : 0);
    if (quality !== null) this.#observe(arm, 'checks', quality.score);
    if (cost.known) this.#observe(arm, 'cost', cost.usd);
    const ms = stream ? (timing.firstTokenMs ?? timing.firstByteMs) : timing.totalMs;
    if (outcome === 'complete' && ms !== null) this.#observe(arm, 'latency', ms);
  }

  grade(arm: ArmName, { source, score }: Grade): void {
    // Checks came with the record; an escalation is about a failed attempt, whereas the served answer came from another model.
    if (source !== 'checks' && source !== 'escalation' && source !== 'verify') this.#observe(arm, 'quality', score);
  }

  /** The first criterion by which the treatment is shown to do harm; null if none. */
  get harm(): ComparedBy | null {
    return comparedBy.find((name) => this.#metrics[name].test.alarm) ?? null;
  }

  /** The strongest current evidence of harm. */
  get worst(): number {
    return Math.max(...comparedBy.map((name) => this.#metrics[name].test.evidence));
  }

  /** Number of an arm's requests that were observed to the end. */
  seen(arm: ArmName): number {
    return this.#metrics.errors[arm].count;
  }

  figures(): Readonly<Record<ComparedBy, MetricFigures>> {
    const of = (name: ComparedBy): MetricFigures => {
      const { control, treatment, test } = this.#metrics[name];
      return {
        control: control.figures(),
        treatment: treatment.figures(),
        evidence: test.evidence,
        threshold: test.threshold,
        harm: test.alarm,
      };
    };
    return { quality: of('quality'), checks: of('checks'), errors: of('errors'), cost: of('cost'), latency: of('latency') };
  }

  #observe(arm: ArmName, name: ComparedBy, value: number): void {
    const metric = this.#metrics[name];
    metric[arm].add(value);
    metric.pairing.observe(arm, value);
  }
}

class Sum {
  count = 0;
  #sum = 0;

  add(value: number): void {
    this.count++;
    this.#sum += value;
  }

  figures(): ArmFigures {
    return { observations: this.count, mean: this.count === 0 ? null : this.#sum / this.count };
  }
}
