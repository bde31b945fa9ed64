import { performance } from 'node:perf_hooks';
import type { UsageMode } from '../../attach/names.ts';
import { limits } from '../../lib/limits.ts';
import type { Metrics } from '../../record/metrics.ts';
import type { OpenExchange } from '../open.ts';
import { PendingExchanges } from '../pending.ts';

const sweepMs = 5_000;

/** Exchanges whose answer has not begun. */
export class OpenAnswers {
  readonly #metrics: Pick<Metrics, 'answerSource'>;
  readonly #copied: PendingExchanges<OpenExchange>;
  /** Exchanges whose end Envoy's access log reports; the others' comes on a stream. */
  readonly #logged: PendingExchanges<OpenExchange>;
  readonly #sweeper: NodeJS.Timeout;

  /** `expire`: called with exchanges whose answer did not come in time. */
  constructor(metrics: Pick<Metrics, 'answerSource'>, expire: (open: OpenExchange) => void) {
    this.#metrics = metrics;
    const late = (open: OpenExchange): void => expire(released(open));
    this.#copied = new PendingExchanges(late);
    this.#logged = new PendingExchanges(late, { maxAgeMs: limits.loggedMs });
    this.#sweeper = setInterval(() => {
      this.#copied.sweep(performance.now());
      this.#logged.sweep(performance.now());
    }, sweepMs);
    this.#sweeper.unref();
  }

  get size(): number {
    return this.#copied.size + this.#logged.size;
  }

  /** Whether entries of Envoy's log are still expected. */
  get awaitsLog(): boolean {
    return this.#logged.size > 0;
  }

  /** `usage`: how its Envoy reports answers. `now`: by performance.now(). */
  add(open: OpenExchange, usage: UsageMode, now: number): void {
    this.#metrics.answerSource(usage, open.answerBy);
    (open.answerBy === 'copies' || open.answerBy === 'inline' ? this.#copied : this.#logged).add(open.id, open, now);
  }

  get(id: string): OpenExchange | undefined {
    return this.#copied.get(id) ?? this.#logged.get(id);
  }

  /** Removes an exchange whose answer has begun. An Envoy in the middle of a config update sends copies although the log was expected. */
  take(id: string): OpenExchange | undefined {
    return released(this.#copied.take(id) ?? this.#logged.take(id));
  }

  /** The same for an exchange in Envoy's log. `answered`: there was an answer, so its copies arrive separately. */
  takeLogged(id: string, answered: boolean): OpenExchange | undefined {
    return released(this.#logged.take(id) ?? (answered ? undefined : this.#copied.take(id)));
  }

  *of(peer: string): Iterable<OpenExchange> {
    for (const pending of [this.#copied, this.#logged]) for (const open of pending.values()) if (open.peer === peer) yield open;
  }

  /** Expires all of them. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#copied.clear();
    this.#logged.clear();
  }
}

/** Envoy keeps a request's body, for a retry, until the answer begins. */
function released<T extends OpenExchange | undefined>(open: T): T {
  open?.held?.release();
  return open;
}
