import { performance } from 'node:perf_hooks';
import { limits } from '../lib/limits.ts';

/** How often the event loop is asked whether it comes when it is called, ms. */
const everyMs = 20;
/** As long as this after the loop was last late it is taken to be behind, ms: what came meanwhile is worked off first. */
const calmMs = 100;

/**
 * Whether a request should be decided at all. A processor that is behind answers after Envoy has stopped waiting: the work is lost, the
 * app waited for nothing, and the next request waits longer. Those who come while it is so pass as the app sent them.
 */
export class LoadGate {
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #due: number;
  #lateUntil = -Infinity;
  #open = 0;

  readonly #lateMs: number;

  /** `lateMs`: how late a turn of the event loop may come; 0: as late as it will. `now`: milliseconds, monotonic. */
  constructor(lateMs: number = limits.eventLoopLateMs, now: () => number = () => performance.now()) {
    this.#lateMs = lateMs === 0 ? Infinity : lateMs;
    this.#now = now;
    this.#due = now() + everyMs;
    this.#timer = setInterval(() => this.tick(), everyMs);
    this.#timer.unref();
  }

  /** Requests whose body has not come yet. */
  get open(): number {
    return this.#open;
  }

  /** Whether another request may be decided now. Asked in the middle of a turn it knows how long that has lasted: what comes last in a burst does not wait for the timer to say so. */
  admits(): boolean {
    return this.#open < limits.openBodies && this.#look() >= this.#lateUntil;
  }

  entered(): void {
    this.#open++;
  }

  left(): void {
    this.#open--;
  }

  /** The timer's turn: later than it was due is how long everybody waits for their turn. */
  tick(): void {
    this.#due = this.#look() + everyMs;
  }

  /** What the time is, and whether the timer is late. */
  #look(): number {
    const now = this.#now();
    if (now - this.#due > this.#lateMs) this.#lateUntil = now + calmMs;
    return now;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
