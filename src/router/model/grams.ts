/** Buckets of hashed word 1- and 2-grams; a power of two. */
export const gramBuckets = 1 << 17;

/** Bits of the table of known words; a power of two. */
export const wordBits = 1 << 18;

/** A model's first topics are the gain and both models' scores; later topics are kinds of work. */
export const plainTopics = 3;

/** Most topics per model. */
export const mostTopics = 16;

/** Most words hashed per excerpt; an excerpt holds about 350. */
const mostTokens = 512;

/** Mixes a 32-bit state so that similar inputs differ widely: the finaliser of MurmurHash3. */
function mix(state: number): number {
  let h = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** FNV-1a over UTF-16 units. A number is hashed by its length alone, because its value does not generalise. */
function hashToken(token: string): number {
  const first = token.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39) return 0x1e3779b9 + Math.min(6, token.length);
  let h = 0x811c9dc5;
  for (let i = 0; i < token.length; i++) h = Math.imul(h ^ token.charCodeAt(i), 0x01000193);
  return h;
}

function isNumber(token: string): boolean {
  const first = token.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}

/** The bit of a token in the known-words table. */
export function wordBit(token: string): number {
  return mix(hashToken(token) ^ 0x5bd1e995) & (wordBits - 1);
}

/**
 * Distinct hashed n-grams of one text with their counts. Reused for every text: it holds a table of gramBuckets slots, so that counting
 * allocates nothing.
 */
export class Grams {
  readonly buckets = new Int32Array(2 * mostTokens);
  readonly counts = new Int32Array(2 * mostTokens);
  size = 0;
  /** Distinct words of the text (except numbers and single letters), and how many of them are in the table of known words. */
  words = 0;
  known = 0;
  /** All distinct words. */
  distinct = 0;
  /** Each bucket's place in `buckets`, plus 1: 0 if it is not there. Pages that were never written take no memory. */
  readonly #slot = new Int32Array(gramBuckets);

  /** Counts the 1- and 2-grams of lower-case `tokens`. `knownWords`: one bit per word, wordBits in all. */
  count(tokens: readonly string[], knownWords: Uint8Array | null): void {
    for (let i = 0; i < this.size; i++) this.#slot[this.buckets[i]!] = 0;
    this.size = 0;
    this.words = 0;
    this.known = 0;
    this.distinct = 0;
    let before = 0;
    const count = Math.min(mostTokens, tokens.length);
    for (let i = 0; i < count; i++) {
      const token = tokens[i]!;
      const hash = hashToken(token);
      const fresh = this.#add(mix(hash) & (gramBuckets - 1));
      if (fresh) this.distinct++;
      if (fresh && knownWords !== null && token.length > 1 && !isNumber(token)) {
        const bit = mix(hash ^ 0x5bd1e995) & (wordBits - 1);
        this.words++;
        this.known += (knownWords[bit >>> 3]! >>> (bit & 7)) & 1;
      }
      if (i > 0) this.#add(mix(Math.imul(before, 31) + hash) & (gramBuckets - 1));
      before = hash;
    }
  }

  /** Returns whether the bucket was new. */
  #add(bucket: number): boolean {
    const slot = this.#slot[bucket]!;
    if (slot !== 0) {
      this.counts[slot - 1]!++;
      return false;
    }
    this.buckets[this.size] = bucket;
    this.counts[this.size] = 1;
    this.#slot[bucket] = ++this.size;
    return true;
  }
}

/** Weight of a gram that occurs `count` times, before its inverse document frequency: 1 + ln(count). */
export const damped: Float64Array = Float64Array.from({ length: mostTokens + 1 }, (_, count) => (count === 0 ? 0 : 1 + Math.log(count)));
