import type { Metrics } from '../record/metrics.ts';

/** Counts and logs Sluice's own errors, after which a request passes. */
export class Failures {
  readonly #metrics: Pick<Metrics, 'passthrough' | 'failOpen'>;
  readonly #log: { error(fields: object, message: string): void };

  constructor(metrics: Pick<Metrics, 'passthrough' | 'failOpen'>, log: { error(fields: object, message: string): void }) {
    this.#metrics = metrics;
    this.#log = log;
  }

  tell(error: unknown): void {
    this.#metrics.passthrough('internal-error');
    this.#metrics.failOpen('internal-error');
    this.#log.error({ err: error }, 'a request passed undecided after an internal error');
  }
}
