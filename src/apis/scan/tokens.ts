import { tokenWeights } from './token-weights.ts';

/**
 * Estimates the number of tokens in a text from one pass over its JSON bytes. The pass splits the text where byte-pair tokenizers split
 * first: words, digits in threes, punctuation, white space, runs of one script. It counts these by kind and length. The weights of the
 * counts are fitted to the tokenizer of the model's family.
 */

/** Kinds of Latin words; each has the counts of `wordCounts`. */
const word = { lower: 0, capital: 1, capitals: 2, inner: 3, noise: 4 };
/** Number of counts per kind: words, and letters beyond the first, the fourth, the seventh and the eleventh. */
const wordCounts = 5;
const accents = 25;
const digitGroups = 26;
/** White space: one blank before a digit, a run of blanks, line ends, line ends after punctuation. */
const blankDigit = 27;
const blanks = 28;
const lineEnd = 29;
const lineEndAfterMark = 30;
/** Punctuation: one mark before a letter, one alone, a run of several; changes of the character in a run; further characters of a run. */
const markJoined = 31;
const markAlone = 32;
const markRun = 33;
const markChanges = 34;
const markMore = 35;
/** Accented letters from U+0100 to U+036F: they are rarer in tokenizers' training data. */
const farAccents = 36;
/** For each script: runs, characters, characters beyond the sixth of a run. */
const scripts = 37;

const script = {
  latin: 0,
  symbol: 1,
  greek: 2,
  cyrillic: 3,
  hebrew: 4,
  arabic: 5,
  devanagari: 6,
  indic: 7,
  thai: 8,
  other: 9,
  georgian: 10,
  wide: 11,
  kana: 12,
  han: 13,
  hangul: 14,
  emoji: 15,
};

/** Digits: some tokenizers give each one a token of its own, others up to three of them. */
const singleDigits = scripts + 3 * 16;

/** Letters of the block of Vietnamese: U+1E00 to U+1EFF. */
const vietnamese = singleDigits + 1;

/** The number of counts. */
const countsLength = vietnamese + 1;

/** Script by code point / 64. */
const scriptBlocks = new Uint8Array(1024).fill(script.other);
for (const [from, to, name] of [
  [0x80, 0xbf, script.symbol],
  [0xc0, 0x36f, script.latin],
  [0x370, 0x3ff, script.greek],
  [0x400, 0x53f, script.cyrillic],
  [0x540, 0x58f, script.georgian],
  [0x590, 0x5ff, script.hebrew],
  [0x600, 0x77f, script.arabic],
  [0x900, 0x97f, script.devanagari],
  [0x980, 0xdff, script.indic],
  [0xe00, 0xeff, script.thai],
  [0x10a0, 0x10ff, script.georgian],
  [0x1e00, 0x1eff, script.latin],
  [0x1f00, 0x1fff, script.greek],
  [0x2000, 0x2bff, script.symbol],
  [0x2e80, 0x2fff, script.han],
  [0x3000, 0x303f, script.wide],
  [0x3040, 0x30ff, script.kana],
  [0x3400, 0x9fff, script.han],
  [0xac00, 0xd7af, script.hangul],
  [0xf900, 0xfaff, script.han],
  [0xfb40, 0xfdff, script.arabic],
  [0xfe00, 0xfe3f, script.symbol],
  [0xfe40, 0xfeff, script.arabic],
  [0xff00, 0xffff, script.wide],
] as const)
  scriptBlocks.fill(name, from >> 6, (to >> 6) + 1);

const kind = { mark: 0, lower: 1, upper: 2, digit: 3, blank: 4, line: 5, escape: 6, high: 7 };
const kinds = new Uint8Array(256);
kinds.fill(kind.high, 0x80);
kinds.fill(kind.lower, 0x61, 0x7b);
kinds.fill(kind.upper, 0x41, 0x5b);
kinds.fill(kind.digit, 0x30, 0x3a);
kinds[0x20] = kinds[0x09] = kind.blank;
kinds[0x0a] = kinds[0x0d] = kind.line;
kinds[0x5c] = kind.escape;

/** The character of each escape, by the letter after the backslash; 0: `u`. */
const escapes = new Uint8Array(128);
for (const [letter, byte] of [
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
  ['b', 0x08],
  ['f', 0x0c],
  ['"', 0x22],
  ['\\', 0x5c],
  ['/', 0x2f],
] as const)
  escapes[letter.charCodeAt(0)] = byte;

/**
 * A run of letters and digits counts as noise (base64, a hash) from this length on, if its class changes at this share of its characters.
 */
const noiseLength = 8;
const noiseShare = 0.3;

const apostrophe = 0x27;

/** Counts the contents of pieces of JSON text. One counter serves all requests: `reset`, `add` each piece, `tokens`. */
export class TokenCounter {
  readonly counts = new Float64Array(countsLength);
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  /**
   * The current run of letters and digits, including the signs in base64 and UUIDs: its length, changes of class, kind of its last byte.
   */
  #run = 0;
  #changes = 0;
  #last = kind.blank;
  /** Of the last decoded character. */
  #point = 0;
  #next = 0;

  reset(): void {
    this.counts.fill(0);
  }

  /** Tokens of the text that was added, by the weights of a family of tokenizers. */
  tokens(weights: ArrayLike<number> = tokenWeights.o200k): number {
    let sum = 0;
    for (let i = 0; i < countsLength; i++) sum += this.counts[i]! * weights[i]!;
    return sum;
  }

  /** Counts the bytes from `start` up to `end`; an escape counts as its character. Cut characters at the ends do no harm. */
  add(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#end = end;
    this.#endRun();
    for (let at = start; at < end;) at = this.#step(at);
  }

  #step(at: number): number {
    switch (this.#kindAt(at)) {
      case kind.lower:
      case kind.upper:
        return this.#word(at);
      case kind.digit:
        return this.#digits(at);
      case kind.blank:
      case kind.line:
        return this.#space(at);
      case kind.high:
        return this.#high(at);
      default:
        return this.#marks(at);
    }
  }

  /** The kind of the character at `at`; `#next` is the start of the next one, `#point` its code (or its first byte, if not decoded). */
  #kindAt(at: number): number {
    const byte = this.#bytes[at]!;
    this.#point = byte;
    this.#next = at + 1;
    if (byte !== 0x5c || at + 1 >= this.#end) return kinds[byte]!;
    const plain = escapes[this.#bytes[at + 1]! & 0x7f]!;
    this.#next = at + 2;
    this.#point = plain;
    if (plain !== 0) return plain === 0x5c ? kind.mark : kinds[plain]!;
    this.#unicodeEscape(at);
    return this.#point < 0x80 ? kinds[this.#point]! : kind.high;
  }

  #unicodeEscape(at: number): void {
    let point = 0;
    const end = Math.min(at + 6, this.#end);
    for (let i = at + 2; i < end; i++) point = point * 16 + hexDigit(this.#bytes[i]!);
    // Half of a surrogate pair is a character beyond the BMP; its other half is skipped with it.
    const pair = point >= 0xd800 && point < 0xdc00;
    this.#point = pair ? 0x1f600 : point;
    this.#next = Math.min(pair ? at + 12 : end, this.#end);
  }

  #endRun(): void {
    this.#run = 0;
    this.#changes = 0;
    this.#last = kind.blank;
  }

  /** A word up to the next change from lower to upper case; includes an apostrophe between letters, and accented letters. */
  #word(from: number): number {
    const { counts } = this;
    const bytes = this.#bytes;
    const end = this.#end;
    const inner = this.#last === kind.lower || this.#last === kind.upper || this.#last === kind.digit;
    let at = from;
    let upper = 0;
    let lower = 0;
    let length = 0;
    if (inner) this.#changes++;
    while (at < end) {
      const byte = bytes[at]!;
      const of = kinds[byte]!;
      if (of === kind.lower) lower++;
      else if (of === kind.upper) {
        if (lower > 0) break;
        upper++;
      } else if (of === kind.high) {
        const size = accentSize(byte, bytes[at + 1] ?? 0);
        if (size === 0) break;
        counts[byte === 0xc3 ? accents : size === 3 ? vietnamese : farAccents]!++;
        lower++;
        at += size - 1;
      } else if (byte !== apostrophe || at === from || at + 1 >= end || kinds[bytes[at + 1]!] !== kind.lower) break;
      length++;
      at++;
    }
    if (length === 0) return this.#marks(from);
    this.#run += length;
    this.#last = lower > 0 ? kind.lower : kind.upper;
    const noise = this.#run >= noiseLength && this.#changes >= this.#run * noiseShare;
    this.#countWord(noise ? word.noise : upper > 1 ? word.capitals : inner ? word.inner : upper === 1 ? word.capital : word.lower, length);
    return at;
  }

  #countWord(of: number, length: number): void {
    const { counts } = this;
    const first = of * wordCounts;
    counts[first]!++;
    if (length > 1) counts[first + 1]! += length - 1;
    if (length > 4) counts[first + 2]! += length - 4;
    if (length > 7) counts[first + 3]! += length - 7;
    if (length > 11) counts[first + 4]! += length - 11;
  }

  #digits(from: number): number {
    let at = from;
    // A digit written as an escape counts as one.
    if (this.#next > from + 1) at = this.#next;
    else while (at < this.#end && kinds[this.#bytes[at]!] === kind.digit) at++;
    const length = this.#next > from + 1 ? 1 : at - from;
    if (this.#last === kind.lower || this.#last === kind.upper) this.#changes++;
    this.#run += length;
    this.#last = kind.digit;
    this.counts[digitGroups]! += Math.ceil(length / 3);
    this.counts[singleDigits]! += length;
    return at;
  }

  /** White space: the last blank belongs to the word after it, but not to a digit. */
  #space(from: number): number {
    const { counts } = this;
    const afterMark = this.#last === kind.mark && kinds[this.#point] === kind.line;
    this.#endRun();
    let at = from;
    let run = 0;
    let lines = 0;
    while (at < this.#end) {
      const of = this.#kindAt(at);
      if (of === kind.line) {
        lines++;
        run = 0;
      } else if (of === kind.blank) run++;
      else {
        if (run > 0 && of === kind.digit) {
          counts[blankDigit]!++;
          run--;
        }
        break;
      }
      at = this.#next;
    }
    if (lines > 0) counts[afterMark ? lineEndAfterMark : lineEnd]! += 1 + (lines >> 4);
    if (run > 1) counts[blanks]! += 1 + (run >> 6);
    return at;
  }

  #marks(from: number): number {
    const { counts } = this;
    let at = from;
    let length = 0;
    let changes = 0;
    let before = -1;
    let of = kind.mark;
    while (at < this.#end) {
      of = this.#kindAt(at);
      if (of !== kind.mark && of !== kind.escape && length > 0) break;
      if (this.#point !== before) changes++;
      before = this.#point;
      length++;
      at = this.#next;
    }
    if (length > 1) {
      counts[markRun]!++;
      counts[markChanges]! += changes - 1;
      counts[markMore]! += length - changes;
    } else counts[of === kind.lower || of === kind.upper ? markJoined : markAlone]!++;
    if (length > 1 || !joinsRun(before)) this.#endRun();
    this.#last = kind.mark;
    return at;
  }

  /** A run of characters of one non-ASCII script, or a word that begins with an accented letter. */
  #high(from: number): number {
    const { counts } = this;
    let at = from;
    let first = -1;
    let length = 0;
    while (at < this.#end && this.#kindAt(at) === kind.high) {
      if (this.#bytes[at] !== 0x5c) this.#decode(at);
      const of =
        this.#point > 0xffff
          ? this.#point >= 0x20000 && this.#point < 0x33480
            ? script.han
            : script.emoji
          : scriptBlocks[this.#point >> 6]!;
      if (first === -1) {
        if (of === script.latin && this.#bytes[at] !== 0x5c) return this.#word(at);
        first = of;
      } else if (of !== first) break;
      length++;
      at = this.#next;
    }
    counts[scripts + 3 * first]!++;
    counts[scripts + 3 * first + 1]! += length;
    if (length > 6) counts[scripts + 3 * first + 2]! += length - 6;
    this.#endRun();
    return at;
  }

  #decode(at: number): void {
    const bytes = this.#bytes;
    const byte = bytes[at]!;
    const next = (bytes[at + 1] ?? 0) & 0x3f;
    if (byte < 0xe0) {
      this.#point = ((byte & 0x1f) << 6) | next;
      this.#next = at + (byte < 0xc0 ? 1 : 2);
    } else if (byte < 0xf0) {
      this.#point = ((byte & 0xf) << 12) | (next << 6) | ((bytes[at + 2] ?? 0) & 0x3f);
      this.#next = at + 3;
    } else {
      this.#point = ((byte & 7) << 18) | (next << 12) | (((bytes[at + 2] ?? 0) & 0x3f) << 6) | ((bytes[at + 3] ?? 0) & 0x3f);
      this.#next = at + 4;
    }
  }
}

/** Bytes of a non-ASCII Latin letter; 0 if it is not one. Two blocks: U+00C0 to U+036F and U+1E00 to U+1EFF. */
function accentSize(byte: number, next: number): number {
  if (byte >= 0xc3 && byte < 0xce && (byte < 0xcd || next < 0xb0)) return 2;
  return byte === 0xe1 && next >= 0xb8 && next < 0xbc ? 3 : 0;
}

/** Signs inside base64, hashes and UUIDs: + - / = _ */
function joinsRun(byte: number): boolean {
  return byte === 0x2b || byte === 0x2d || byte === 0x2f || byte === 0x3d || byte === 0x5f;
}

function hexDigit(byte: number): number {
  return byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
}
