import type { KnownToken } from '../lexicon.ts';
import { concepts } from './concepts.ts';
import { isUnspaced, mostWords, TextWords, wordTable, zone } from './scan.ts';
import { hashEnd, hashNext, hashStart, wordSlots } from './word-table.ts';

/** Maximum number of distinct n-grams per prompt. */
const mostGrams = 4_096;
const slots = 1 << 13;

/** Kinds of n-grams: each is hashed into its own space and weighed in proportion to the number of n-grams of its kind. */
export const kind = { ask: 0, letters: 1, material: 2, shape: 3, system: 4, lexicon: 5, apart: 6 } as const;
export const kinds = 7;

/** Length of a character n-gram. */
const shortest = 3;
const longest = 5;
/** Characters of a word from which character n-grams are taken. */
export const mostSpelt = 40;
/** Once there are this many character n-grams, no more words are split into them. */
const mostLetters = 600;
/** Number of first words of an ask that are also read as their own kind. */
const firstWords = 5;
/** Number of first words of an ask that are also paired across other words: the verb and its object. */
const apartWords = 8;
/** Words of a system prompt that are read. */
const systemWords = 160;

const salt = {
  word: 0x1b873593,
  pair: 0x2545f491,
  first: 0x3c6ef372,
  last: 0x4f1bbcdc,
  letters: 0x5be0cd19,
  material: 0x6a09e667,
  shape: 0x7f4a7c15,
  system: 0x8f1bbcdc,
  lexicon: 0x510e527f,
  triple: 0x9b05688c,
  apart: 0x3b9aca07,
};

/** Mixes a 32-bit state so that close inputs fall far apart: the finaliser of MurmurHash3. */
function mix(state: number): number {
  let h = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The hash that `TextWords` gives a word. */
function hashWord(word: string): number {
  let hash = hashStart;
  for (let i = 0; i < word.length; i++) hash = hashNext(hash, word.charCodeAt(i));
  return hashEnd(hash, word.charCodeAt(0), word.length);
}

/** The hash of a single word of the ask. */
export function askHash(word: string): number {
  return mix(hashWord(word) ^ salt.word);
}

/** The hash of a single word of the material. */
export function materialHash(word: string): number {
  return mix(hashWord(word) ^ salt.material);
}

/** Distinct hashed n-grams of one prompt. Reused from prompt to prompt: counting allocates only the words. */
export class PromptGrams {
  readonly hashes = new Uint32Array(mostGrams);
  readonly kinds = new Uint8Array(mostGrams);
  /** Index of the word if the n-gram is a single word; -1 if it covers several words or part of one. */
  readonly wordAt = new Int32Array(mostGrams);
  size = 0;
  /** Number of distinct n-grams of each kind. */
  readonly counts = new Int32Array(kinds);
  readonly text = new TextWords();
  /** Indices of the words whose character n-grams count: the first distinct words of the ask. */
  readonly spelt = new Int32Array(mostWords);
  speltCount = 0;
  readonly #system = new TextWords();
  readonly #slot = new Int32Array(slots).fill(-1);
  /** The slot of each n-gram. */
  readonly #used = new Int32Array(mostGrams);
  readonly #hits = new Uint8Array(concepts.names.length);
  readonly #ask: string[] = [];
  readonly #askSlots = new Int32Array(mostWords);
  /** By a word's slot: what its word names, and the slot's version when that was found. */
  readonly #known: (KnownToken | null)[] = new Array<KnownToken | null>(wordSlots).fill(null);
  readonly #knownVersions = new Int32Array(wordSlots);
  /** Hashes of the ask's first words. */
  readonly #first = new Int32Array(apartWords);

  /** Reads a prompt: the user's ask, and its system prompt ('' if there is none). */
  read(user: string, system: string): this {
    for (let i = 0; i < this.size; i++) this.#slot[this.#used[i]!] = -1;
    this.size = 0;
    this.counts.fill(0);
    this.speltCount = 0;
    // First: its words may take slots from the user's.
    if (system !== '') this.#system.read(system);
    this.text.read(user);
    this.#words();
    this.#shape();
    this.#lexicon();
    if (system !== '') this.#systemWords();
    return this;
  }

  #words(): void {
    const { words, zones, hashes, unspaced } = this.text;
    let before = 0;
    let beforeThat = 0;
    let asks = 0;
    for (let at = 0; at < words.length; at++) {
      const hash = hashes[at]!;
      if (unspaced[at] === 1) {
        this.#unspaced(words[at]!, zones[at] === zone.ask, asks === 0);
        if (zones[at] === zone.ask && asks < apartWords) this.#first[asks] = 0;
        if (zones[at] === zone.ask) asks++;
        before = beforeThat = 0;
        continue;
      }
      if (zones[at] === zone.ask) {
        if (this.#add(hash ^ salt.word, kind.ask, at)) this.#spell(words[at]!, at);
        if (before !== 0) this.#add(Math.imul(before, 0x01000193) ^ hash ^ salt.pair, kind.ask);
        if (asks < 3) this.#add(Math.imul(hash, asks + 3) ^ salt.first, kind.ask);
        if (asks === 2 && beforeThat !== 0)
          this.#add(Math.imul(Math.imul(beforeThat, 31) ^ before, 0x01000193) ^ hash ^ salt.triple, kind.ask);
        if (at >= words.length - 2) this.#add(hash ^ salt.last, kind.ask);
        if (asks < apartWords) this.#apart(hash, asks);
        asks++;
      } else this.#add(hash ^ salt.material, kind.material, at);
      beforeThat = before;
      before = zones[at] === zone.ask ? hash : 0;
    }
  }

  /** Pairs of the ask's first words that are not adjacent, in order. */
  #apart(hash: number, place: number): void {
    for (let at = 0; at + 1 < place; at++)
      if (this.#first[at] !== 0) this.#add(Math.imul(this.#first[at]!, 0x01000193) ^ hash ^ salt.apart, kind.apart);
    this.#first[place] = hash;
  }

  /** Character n-grams of two or three, for scripts without spaces and for Korean, whose words carry endings. */
  #unspaced(word: string, ask: boolean, first: boolean): void {
    for (let at = 0; at < word.length; at++) {
      let hash = 0x811c9dc5;
      for (let size = 1; size <= 3 && at + size <= word.length; size++) {
        hash = Math.imul(hash ^ word.charCodeAt(at + size - 1), 0x01000193);
        if (ask) {
          this.#add(hash ^ salt.word, kind.ask);
          if (at === 0 && first && size > 1) this.#add(hash ^ salt.first, kind.ask);
        } else if (size === 2) this.#add(hash ^ salt.material, kind.material);
      }
    }
  }

  #spell(word: string, at: number): void {
    if (this.counts[kind.letters]! > mostLetters) return;
    const count = lettersCount(word);
    if (count === 0) return;
    this.counts[kind.letters]! += count;
    this.spelt[this.speltCount++] = at;
  }

  /** Signs and sizes, each bucketed into a few steps. */
  #shape(): void {
    const { signs, units, askUnits, wordCount } = this.text;
    this.#step(1, units / 12);
    this.#step(2, askUnits / 12);
    this.#step(3, signs.questions);
    this.#step(4, signs.codeFences);
    this.#step(5, signs.codeLines);
    this.#step(6, signs.formal);
    this.#step(7, signs.digits / 2);
    this.#step(8, signs.lines);
    this.#step(9, wordCount === 0 ? 0 : (16 * signs.digits) / wordCount);
  }

  #step(name: number, value: number): void {
    this.#add(Math.imul(name * 64 + Math.min(12, Math.ceil(Math.log2(1 + value))), 0x9e3779b1) ^ salt.shape, kind.shape);
  }

  /** Concepts that the ask's words name, in any language: training in one language helps in all. */
  #lexicon(): void {
    const { words, zones, slots } = this.text;
    const ask = this.#ask;
    let count = 0;
    for (let at = 0; at < words.length; at++) {
      if (zones[at] !== zone.ask) continue;
      this.#askSlots[count] = slots[at]!;
      ask[count++] = words[at]!;
    }
    this.#concepts(count, 1);
    // The first words describe the ask more often than later words do.
    this.#concepts(Math.min(count, firstWords), 2);
  }

  #concepts(count: number, place: number): void {
    const hits = this.#hits.fill(0);
    const ask = this.#ask;
    const cjk = this.text.signs.cjk > 0;
    for (let at = 0; at < count; at++) {
      const word = ask[at]!;
      const slot = this.#askSlots[at]!;
      if (slot === -1) concepts.countToken(ask, at, hits, count);
      else {
        const known = this.#knownOf(word, slot);
        if (known !== null) concepts.countKnown(known, ask, at, hits, count);
      }
      if (cjk && isUnspaced(word.charCodeAt(0))) concepts.countUnspaced(word, hits);
    }
    for (let at = 0; at < hits.length; at++)
      if (hits[at]! > 0) this.#add(Math.imul(at * 4 + place, 0x9e3779b1) ^ salt.lexicon, kind.lexicon);
  }

  #knownOf(word: string, slot: number): KnownToken | null {
    const version = wordTable.versionOf(slot);
    if (this.#knownVersions[slot] !== version) {
      this.#known[slot] = concepts.known(word);
      this.#knownVersions[slot] = version;
    }
    return this.#known[slot]!;
  }

  #systemWords(): void {
    const { words, hashes, unspaced } = this.#system;
    this.#add(salt.system, kind.system);
    for (let at = 0; at < words.length && at < systemWords; at++) {
      const word = words[at]!;
      if (unspaced[at] === 0) this.#add(hashes[at]! ^ salt.system, kind.system);
      else
        for (let i = 0; i + 1 < word.length; i++)
          this.#add(Math.imul(word.charCodeAt(i), 0x01000193) ^ word.charCodeAt(i + 1) ^ salt.system, kind.system);
    }
  }

  /** Whether the n-gram is new in this prompt. */
  #add(state: number, of: number, word: number = -1): boolean {
    const hash = mix(state);
    let at = hash & (slots - 1);
    while (this.#slot[at] !== -1) {
      if (this.hashes[this.#slot[at]!] === hash) return false;
      at = (at + 1) & (slots - 1);
    }
    if (this.size === mostGrams) return false;
    this.#slot[at] = this.size;
    this.#used[this.size] = at;
    this.hashes[this.size] = hash;
    this.wordAt[this.size] = word;
    this.kinds[this.size++] = of;
    this.counts[of]!++;
    return true;
  }
}

/** Number of a word's character n-grams; 0 if it begins with a digit. */
function lettersCount(word: string): number {
  const first = word.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39) return 0;
  // The word's beginning and end count as one character each.
  const units = Math.min(mostSpelt, word.length) + 2;
  let count = 0;
  for (let size = shortest; size <= longest; size++) count += Math.max(0, units - size + 1);
  return count;
}

/** Writes the hashes of a word's `lettersCount` character n-grams to `out`. Returns how many. */
export function lettersOf(word: string, out: Uint32Array): number {
  let count = 0;
  const last = Math.min(mostSpelt, word.length);
  // Position -1 is the word's beginning, `last` its end. Longer n-grams extend shorter ones.
  for (let at = -1; at + shortest <= last + 1; at++) {
    let hash = salt.letters;
    for (let i = at; i < at + longest && i <= last && count < out.length; i++) {
      hash = Math.imul(hash ^ (i === -1 || i === last ? 0x20 : word.charCodeAt(i)), 0x01000193);
      if (i - at + 1 >= shortest) out[count++] = mix(hash);
    }
  }
  return count;
}
