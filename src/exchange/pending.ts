import { limits } from '../lib/limits.ts';

/**
 * Exchanges between their decision and the end of their answer, by decision id. Bounded in number and age: an entry that exceeds a bound
 * is passed to `expire`, so that its record is still written.
 */
export class PendingExchanges<T> {
  readonly #entries = new Map<string, { readonly value: T; readonly since: number }>();
  readonly #expire: (value: T) => void;
  readonly #max: number;
  readonly #maxAgeMs: number;

  constructor(expire: (value: T) => void, bounds: { readonly max?: number; readonly maxAgeMs?: number } = {}) {
    this.#expire = expire;
    this.#max = bounds.max ?? limits.pendingExchanges;
    this.#maxAgeMs = bounds.maxAgeMs ?? limits.pendingMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `now` is any monotonic clock in ms, the same one that `sweep` gets. */
  add(id: string, value: T, now: number): void {
    if (this.#entries.size >= this.#max) {
      // A Map keeps insertion order, so its first entry is the oldest.
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#drop(oldest.value);
    }
    this.#entries.set(id, { value, since: now });
  }

  /** The exchange, if its answer has not begun. */
  get(id: string): T | undefined {
    return this.#entries.get(id)?.value;
  }

  /** Exchanges whose answer has not begun, the oldest first. */
  *values(): Iterable<T> {
    for (const { value } of this.#entries.values()) yield value;
  }

  /** Removes and returns an exchange; undefined if it is unknown here (another process decided it, or it expired). */
  take(id: string): T | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    return entry.value;
  }

  /** Expires entries older than the bound. Cost: the number expired plus one. */
  sweep(now: number): void {
    for (const [id, entry] of this.#entries) {
      if (now - entry.since < this.#maxAgeMs) return;
      this.#drop(id);
    }
  }

  /** Expires everything (shutdown). */
  clear(): void {
    for (const id of [...this.#entries.keys()]) this.#drop(id);
  }

  #drop(id: string): void {
    const value = this.take(id);
    if (value !== undefined) this.#expire(value);
  }
}
