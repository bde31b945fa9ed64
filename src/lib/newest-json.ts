import type { JsonBytes } from './json-bytes.ts';

/**
 * The newest values as JSON, up to a number and a size, in one memory that is filled in a circle. As objects they would live just long
 * enough for the collector to copy each of them twice. A value that is read is parsed each time.
 */
export class NewestJson<V> {
  readonly #max: number;
  /** Pages that were never written take no memory. */
  readonly #bytes: Buffer;
  readonly #ids: string[] = [];
  readonly #from: Uint32Array;
  readonly #to: Uint32Array;
  /** Entries by number; entry n is at place n % max. */
  readonly #byId = new Map<string, number>();
  #first = 0;
  #end = 0;
  /** Where the next value begins. */
  #at = 0;

  constructor(max: number, bytes: number) {
    this.#max = max;
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#from = new Uint32Array(max);
    this.#to = new Uint32Array(max);
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Keeps a value as the newest, also in place of an older one with its id. One that is larger than the memory is not kept. */
  add(id: string, json: JsonBytes): void {
    const { length } = json;
    if (length > this.#bytes.length) return;
    if (this.#end - this.#first === this.#max) this.#drop();
    if (this.#at + length > this.#bytes.length) {
      // What is left behind at the memory's end is older than what is at its beginning.
      while (this.#first < this.#end && this.#from[this.#first % this.#max]! >= this.#at) this.#drop();
      this.#at = 0;
    }
    while (this.#first < this.#end && this.#overlaps(this.#first % this.#max, this.#at + length)) this.#drop();
    json.copyTo(this.#bytes, this.#at);
    const place = this.#end % this.#max;
    this.#ids[place] = id;
    this.#from[place] = this.#at;
    this.#to[place] = this.#at += length;
    this.#byId.set(id, this.#end++);
  }

  #overlaps(place: number, end: number): boolean {
    return this.#from[place]! < end && this.#to[place]! > this.#at;
  }

  #drop(): void {
    const entry = this.#first++;
    const id = this.#ids[entry % this.#max]!;
    if (this.#byId.get(id) === entry) this.#byId.delete(id);
  }

  get(id: string): V | null {
    const entry = this.#byId.get(id);
    return entry === undefined ? null : this.#parsed(entry);
  }

  /** Newest first. `holding`: only values whose JSON contains one of these texts; the others are not parsed. */
  *values(holding: readonly string[] = []): Iterable<V> {
    for (let entry = this.#end - 1; entry >= this.#first; entry--) {
      const place = entry % this.#max;
      if (this.#byId.get(this.#ids[place]!) !== entry) continue;
      const bytes = this.#bytes.subarray(this.#from[place], this.#to[place]);
      if (holding.length === 0 || holding.some((text) => bytes.includes(text))) yield this.#parsed(entry);
    }
  }

  #parsed(entry: number): V {
    const place = entry % this.#max;
    return JSON.parse(this.#bytes.toString('utf8', this.#from[place], this.#to[place])) as V;
  }
}
