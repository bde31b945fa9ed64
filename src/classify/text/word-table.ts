/** Maximum length of a word that is kept, in UTF-16 units: what fits into a slot beside hash, version and length. */
const longest = 26;
/** Numbers per slot: 64 bytes, one cache line. */
const stride = 16;
const place = { hash: 0, version: 1, length: 2, units: 3 } as const;
/** Sets of two slots: a word has its place in one of two, so that two frequent words do not evict each other. */
const sets = 1 << 13;

/** Number of slots in the table. */
export const wordSlots = 2 * sets;

/** First state of a word's hash (FNV-1a over UTF-16 units). */
export const hashStart = 0x811c9dc5;

/** Extends a hash by one unit. */
export function hashNext(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, 0x01000193);
}

/** The hash of a whole word, from the hash of its units. A number is hashed by its length only: its value does not generalise to other prompts. */
export function hashEnd(hash: number, first: number, length: number): number {
  return first >= 0x30 && first <= 0x39 ? 0x1e3779b9 + Math.min(6, length) : hash;
}

/**
 * Cache of words from all prompts: most words are frequent ones, and data about a word is stored by its slot. Bounded: a word replaces the
 * less recently used one of its set, and the slot's version increases. Callers must not pass words with a digit in them, because they could
 * be part of a secret.
 */
export class WordTable {
  /** Each slot's word: its hash, version, length, and the word itself, two units per number. */
  readonly #slots = new Int32Array(wordSlots * stride);
  readonly #texts: string[] = new Array<string>(wordSlots).fill('');
  /** The last used slot of each set. */
  readonly #recent = new Uint8Array(sets);
  /** How often a slot got another word. */
  changes = 0;

  /**
   * The slot of the word at `start` to `end` of `units` with the hash `hash` (`hashStart`, then `hashNext` for each unit); -1 if it is too
   * long to be kept.
   */
  slotOf(units: Uint16Array, start: number, end: number, hash: number): number {
    if (end - start > longest) return -1;
    const set = (hash ^ (hash >>> 15)) & (sets - 1);
    const first = this.#recent[set]!;
    if (this.#holds(2 * set + first, units, start, end, hash)) return 2 * set + first;
    this.#recent[set] = 1 - first;
    const slot = 2 * set + 1 - first;
    if (!this.#holds(slot, units, start, end, hash)) this.#put(slot, units, start, end, hash);
    return slot;
  }

  /** The word that is currently in a slot. */
  at(slot: number): string {
    return this.#texts[slot]!;
  }

  /** Increases when a slot gets another word; 0 if the slot was never used. */
  versionOf(slot: number): number {
    return this.#slots[slot * stride + place.version]!;
  }

  #holds(slot: number, units: Uint16Array, start: number, end: number, hash: number): boolean {
    const slots = this.#slots;
    const base = slot * stride;
    if (slots[base + place.hash] !== hash || slots[base + place.length] !== end - start || slots[base + place.version] === 0) return false;
    let other = base + place.units;
    // A word of odd length ends with a half that is zero on both sides.
    for (let at = start; at < end; at += 2) if (pair(units, at, end) !== slots[other++]) return false;
    return true;
  }

  #put(slot: number, units: Uint16Array, start: number, end: number, hash: number): void {
    const slots = this.#slots;
    const base = slot * stride;
    slots[base + place.hash] = hash;
    slots[base + place.version] = (slots[base + place.version]! % 0x7fff_ffff) + 1;
    slots[base + place.length] = end - start;
    let other = base + place.units;
    for (let at = start; at < end; at += 2) slots[other++] = pair(units, at, end);
    this.changes++;
    this.#texts[slot] = String.fromCharCode(...units.subarray(start, end));
  }
}

function pair(units: Uint16Array, at: number, end: number): number {
  return units[at]! | (at + 1 < end ? units[at + 1]! << 16 : 0);
}
