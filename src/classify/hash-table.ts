/** Ends a token. */
const nextToken = 0x27d4eb2f;
/** Maximum count per concept. */
const mostHits = 5;

/** Two hashes of what is read, extended unit by unit. Used again and again, so that a search allocates nothing. */
export class Roll {
  #first = 0;
  #second = 0;

  start(kind: number): this {
    this.#first = kind;
    this.#second = kind;
    return this;
  }

  from(other: Roll): this {
    this.#first = other.#first;
    this.#second = other.#second;
    return this;
  }

  /** A copy, to continue from later. */
  copy(): Roll {
    return new Roll().from(this);
  }

  /** What was read is now of this kind. */
  as(kind: number): void {
    this.#first ^= kind;
  }

  /** A token ends, and the next one begins. */
  next(): void {
    this.unit(nextToken);
  }

  unit(unit: number): void {
    this.#first = Math.imul(this.#first ^ unit, 0x01000193);
    this.#second = (Math.imul(this.#second, 0x2c9277b5) + unit) | 0;
  }

  text(text: string): this {
    for (let at = 0; at < text.length; at++) this.unit(text.charCodeAt(at));
    return this;
  }

  /** Where to look. */
  get place(): number {
    const mixed = Math.imul(this.#first ^ (this.#first >>> 15), 0x2c1b3c6d);
    return mixed ^ (mixed >>> 13);
  }

  /** 16 bits that only the same text has. */
  get check(): number {
    return (this.#second ^ (this.#second >>> 16)) & 0xffff;
  }
}

/** Of an entry: a phrase goes on after it; with a stem. */
export const flag = { on: 1 << 15, stem: 1 << 14 } as const;
/** The rest of an entry: 0 for no concept, a concept's number plus 1, or a list's place plus `lists`. */
const lists = 1 << 8;
const classBits = flag.stem - 1;
/** Maximum number of concepts, and of different lists of them. */
const most = { concepts: lists - 2, lists: flag.stem - lists } as const;

/** The entry of one concept. */
export const entryOf = (number: number): number => number + 1;

/** The entries of a table, in no order. */
export interface SavedTable {
  readonly places: Int32Array;
  readonly checks: Uint16Array;
  readonly entries: Uint16Array;
  readonly lists: readonly (readonly number[])[];
}

/** Open addressing from hashes to an entry. 0 is no entry. */
export class HashTable {
  #places: Int32Array;
  #checks: Uint16Array;
  #entries: Uint16Array;
  #count = 0;
  #lists: (readonly number[])[] = [];

  constructor(expected: number) {
    const slots = powerOfTwo(expected);
    this.#places = new Int32Array(slots);
    this.#checks = new Uint16Array(slots);
    this.#entries = new Uint16Array(slots);
  }

  /** The table that `save` gave. */
  static restore({ places, checks, entries, lists: saved }: SavedTable): HashTable {
    const table = new HashTable(1.3 * entries.length);
    table.#lists = [...saved];
    for (let i = 0; i < entries.length; i++) table.#entries[table.#enter(places[i]!, checks[i]!)] = entries[i]!;
    return table;
  }

  save(): SavedTable {
    const used = [...this.#entries.keys()].filter((at) => this.#entries[at] !== 0);
    return {
      places: Int32Array.from(used, (at) => this.#places[at]!),
      checks: Uint16Array.from(used, (at) => this.#checks[at]!),
      entries: Uint16Array.from(used, (at) => this.#entries[at]!),
      lists: this.#lists,
    };
  }

  find(roll: Roll): number {
    return this.#entries[this.#slot(roll.place, roll.check)]!;
  }

  add(roll: Roll, number: number): void {
    const at = this.#enter(roll.place, roll.check);
    const entry = this.#entries[at]!;
    const of = entry & classBits;
    let next = entryOf(number);
    if (of !== 0) {
      const known = of < lists ? [of - 1] : this.#lists[of - lists]!;
      next = lists + this.#listOf([...known, number]);
    }
    if (number > most.concepts || this.#lists.length > most.lists) throw new RangeError('too many concepts for one table');
    this.#entries[at] = (entry & ~classBits) | next;
  }

  mark(roll: Roll, flags: number): void {
    this.#entries[this.#enter(roll.place, roll.check)]! |= flags;
  }

  hit(entry: number, hits: Uint8Array): void {
    const of = entry & classBits;
    if (of === 0) return;
    if (of < lists) hit(hits, of - 1);
    else for (const number of this.#lists[of - lists]!) hit(hits, number);
  }

  /** The place of a list, which is kept once. */
  #listOf(numbers: readonly number[]): number {
    const known = this.#lists.findIndex((list) => list.length === numbers.length && list.every((number, at) => number === numbers[at]));
    return known === -1 ? this.#lists.push(numbers) - 1 : known;
  }

  /** The slot of an entry, or the free one where it would be. */
  #slot(place: number, check: number): number {
    const mask = this.#places.length - 1;
    let at = place & mask;
    while (this.#entries[at] !== 0 && (this.#places[at] !== place || this.#checks[at] !== check)) at = (at + 1) & mask;
    return at;
  }

  /** The slot of an entry, which is entered if it is new. */
  #enter(place: number, check: number): number {
    if (this.#count * 1.2 > this.#places.length) this.#grow();
    const at = this.#slot(place, check);
    if (this.#entries[at] === 0) {
      this.#places[at] = place;
      this.#checks[at] = check;
      this.#count++;
    }
    return at;
  }

  #grow(): void {
    const [places, checks, entries] = [this.#places, this.#checks, this.#entries];
    this.#places = new Int32Array(2 * places.length);
    this.#checks = new Uint16Array(2 * places.length);
    this.#entries = new Uint16Array(2 * places.length);
    this.#count = 0;
    for (const [at, entry] of entries.entries()) if (entry !== 0) this.#entries[this.#enter(places[at]!, checks[at]!)] = entry;
  }
}

/** The power of two that is `count` or the next above. */
export const powerOfTwo = (count: number): number => 2 ** Math.ceil(Math.log2(count + 8));

/** Counts a concept once more. */
export function hit(hits: Uint8Array, number: number): void {
  if (hits[number]! < mostHits) hits[number]!++;
}
