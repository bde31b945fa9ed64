/**
 * A map of the newest entries, up to a bound. The keys' order is kept beside it: the first key of a Map from which the oldest was taken
 * again and again is found behind all the places that they left.
 */
export class Newest<V> {
  readonly #max: number;
  readonly #byKey = new Map<string, V>();
  readonly #keys: string[] = [];
  /** Where the oldest key is, once there are as many as there may be. */
  #oldest = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#byKey.size;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  get(key: string): V | undefined {
    return this.#byKey.get(key);
  }

  /** A key that is there keeps its place. */
  set(key: string, value: V): void {
    if (!this.#byKey.has(key)) {
      if (this.#keys.length < this.#max) this.#keys.push(key);
      else {
        this.#byKey.delete(this.#keys[this.#oldest]!);
        this.#keys[this.#oldest] = key;
        this.#oldest = (this.#oldest + 1) % this.#max;
      }
    }
    this.#byKey.set(key, value);
  }

  /** Oldest first. */
  values(): IterableIterator<V> {
    return this.#byKey.values();
  }
}
