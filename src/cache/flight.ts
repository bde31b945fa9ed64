import type { CacheEntry } from './types.ts';

/** One request that is on its way to its provider, and the identical ones that wait for its answer. */
export class Flight {
  readonly #waiting = new Set<(entry: CacheEntry | null) => void>();

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves with the leader's answer; with null when it fails, when `ms` are over, or when `leave` is called. Never rejects. */
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

  /** Tells everybody; null: they go on alone. */
  settle(entry: CacheEntry | null): void {
    for (const settle of [...this.#waiting]) settle(entry);
  }
}
