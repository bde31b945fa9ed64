import { performance } from 'node:perf_hooks';
import { limits } from '../lib/limits.ts';

/** How often the event loop's delay is measured, ms. */
const everyMs = 20;
/** The loop counts as behind for this long after it was last late, ms: the backlog is processed first. */
const calmMs = 100;

/**
 * Load shedding: whether a request should be decided at all. A processor that is behind answers after Envoy's timeout: the work is lost,
 * the app waited for nothing, and the next request waits longer. Requests that arrive meanwhile pass as the app sent them.
 */
export class LoadGate {
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #due: number;
  #lateUntil = -Infinity;
  #open = 0;

  readonly #lateMs: number;
  readonly #patience: () => number;

  /**
   * `lateMs`: allowed delay of an event-loop turn; 0: no limit. `now`: milliseconds, monotonic. `patience`: how many times longer than usual
   * Envoy waits, by the policy in force.
   */
  constructor(lateMs: number = limits.eventLoopLateMs, now: () => number = () => performance.now(), patience: () => number = () => 1) {
    this.#lateMs = lateMs === 0 ? Infinity : lateMs;
    this.#now = now;
    this.#patience = patience;
    this.#due = now() + everyMs;
    this.#timer = setInterval(() => this.tick(), everyMs);
    this.#timer.unref();
  }

  /** Requests whose body has not come yet. */
  get open(): number {
    return this.#open;
  }

  /**
   * Whether another request may be decided at `now`, by this gate's clock: within one long turn the last requests of a burst are refused
   * before the timer fires.
   */
  admits(now: number = this.#now()): boolean {
    return this.#open < limits.openBodies && this.#look(now) >= this.#lateUntil;
  }

  entered(): void {
    this.#open++;
  }

  left(): void {
    this.#open--;
  }

  /** Called by the timer: its delay is the delay of every other task. */
  tick(): void {
    this.#due = this.#look(this.#now()) + everyMs;
  }

  /** Checks whether the timer is late. */
  #look(now: number): number {
    if (now - this.#due > this.#lateMs * this.#patience()) this.#lateUntil = now + calmMs;
    return now;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
