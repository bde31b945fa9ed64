/** Failures in a row after which nothing is asked any more, and for how long, in ms. */
const failuresToOpen = 5;
const openMs = 1_000;

/** Keeps a slow or dead backend from being asked by every request: after some failures one request a second tries it. */
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

  /** True when the backend may be asked now. While it is down, true for one asker a period. */
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
