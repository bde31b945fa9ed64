/** How long a failure counts without a new one, in ms; then the next request tries the provider again. */
const memoryMs = 10_000;

/** Which providers are failing, as seen from answers that passed through the cache. */
export class Outages {
  readonly #failedAt = new Map<string, number>();

  /** `now` in ms, the same clock as for `down`. */
  note(provider: string, failed: boolean, now: number): void {
    if (failed) this.#failedAt.set(provider, now);
    else this.#failedAt.delete(provider);
  }

  down(provider: string, now: number): boolean {
    const at = this.#failedAt.get(provider);
    return at !== undefined && now - at < memoryMs;
  }
}
