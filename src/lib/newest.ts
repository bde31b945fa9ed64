/**
 * A map of the newest entries, up to a bound. The order of keys is stored separately: after repeated deletions of the oldest key of a Map,
 * finding its first key must skip all the deleted places.
 */
export class Newest<V> {
  readonly #max: number;
  readonly #byKey = new Map<string, V>();
  readonly #keys: string[] = [];
  /** Position of the oldest key, once the map is full. */
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

  /** An existing key keeps its position. */
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
