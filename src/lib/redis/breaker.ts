/** Consecutive failures after which calls stop, and for how long, in ms. */
const failuresToOpen = 5;
const openMs = 1_000;

/** Stops requests from all calling a slow or unavailable backend: after some failures, one request per second tries it. */
export class Breaker {
  readonly #now: () => number;
  #failures = 0;
  #openUntil = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get open(): boolean {
    return this.#failures >= failuresToOpen && this.#now() < this.#openUntil;
  }

  /** True if the backend may be called now. While it is down, true for one caller per period. */
  allow(): boolean {
    if (this.#failures < failuresToOpen) return true;
    if (this.#now() < this.#openUntil) return false;
    this.#openUntil = this.#now() + openMs;
    return true;
  }

  success(): void {
    this.#failures = 0;
  }

  failure(): void {
    this.#failures++;
    if (this.#failures >= failuresToOpen) this.#openUntil = this.#now() + openMs;
  }
}
