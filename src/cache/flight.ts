import type { CacheEntry } from './types.ts';

/** One request in flight to its provider, and the identical ones that wait for its answer. */
export class Flight {
  readonly #waiting = new Set<(entry: CacheEntry | null) => void>();

  /** Number of waiting requests. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves with the leader's answer, or with null if it fails, after `ms`, or when `leave` is called. Never rejects. */
  wait(ms: number): { readonly entry: Promise<CacheEntry | null>; readonly leave: () => void } {
    let leave = (): void => undefined;
    const entry = new Promise<CacheEntry | null>((resolve) => {
      const settle = (found: CacheEntry | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve(found);
      };
      const timer = setTimeout(() => settle(null), ms);
      this.#waiting.add(settle);
      leave = () => settle(null);
    });
    return { entry, leave };
  }

  /** Notifies all waiting requests; on null they proceed on their own. */
  settle(entry: CacheEntry | null): void {
    for (const settle of [...this.#waiting]) settle(entry);
  }
}
