import { foldUnits } from './letters.ts';
import { lowerAscii, lowerUnits } from './lower.ts';
import { hashEnd, hashNext, hashStart, WordTable } from './word-table.ts';

/**
 * Splits a prompt into what the text model reads: words of the ask and of the material around it, and counts of signs. One pass, no regular
 * expression. The ask is the first and the last paragraph, each bounded: people state a task before or after the text they paste.
 */

/** Characters of a text that are read, at its beginning and its end. */
const headUnits = 1_500;
const tailUnits = 500;
/** Maximum length of the ask at the beginning and at the end, in characters. */
const firstAsk = 320;
const lastAsk = 260;
/** A shorter first line is a greeting or a title, so the next line still belongs to the ask. */
const shortestAsk = 16;
/** Maximum number of words of the material around an ask that are kept. */
const mostMaterial = 120;
/** Maximum number of words of a text that are kept. */
export const mostWords = 480;

/** Position of a word. */
export const zone = { ask: 0, material: 1 } as const;

/** Counts from the part that was read. */
export interface Signs {
  questions: number;
  codeFences: number;
  /** Lines that begin or end like code. */
  codeLines: number;
  /** Mathematical signs, powers, comparisons with a number, TeX commands. */
  formal: number;
  digits: number;
  lines: number;
  cjk: number;
}

/** Words of all texts. */
export const wordTable = new WordTable();

/** Zero units after the part that is read, so that look-ahead needs no bounds check. */
const padding = 8;

const newline = 0x0a;
const space = 0x20;

/** The words of one text, reused from text to text: only the words themselves are allocated. */
export class TextWords {
  readonly words: string[] = [];
  /** Words found so far. The list is truncated at the end, so that the next text reuses its memory. */
  #count = 0;
  /** End of the ask at the beginning, and start of the one at the end. */
  #head = 0;
  #tail = 0;
  readonly zones = new Uint8Array(mostWords);
  /** 1 for a run of a script without spaces. */
  readonly unspaced = new Uint8Array(mostWords);
  /** Hash of each word; for a number only its length counts, since its value does not generalise to other prompts. */
  readonly hashes = new Int32Array(mostWords);
  /** Slot of each word in `wordTable`, until another text is read; -1 if it is not kept there. */
  readonly slots = new Int32Array(mostWords);
  readonly signs: Signs = { questions: 0, codeFences: 0, codeLines: 0, formal: 0, digits: 0, lines: 0, cjk: 0 };
  /** Number of words in the part that was read, kept or not. */
  wordCount = 0;
  #material = 0;
  /** The part that is read, followed by zeros: as UTF-16 units, and the same as bytes. */
  #bytes = Buffer.alloc(0);
  #units = new Uint16Array(0);
  #pairs = new Int32Array(0);
  /** Whether the part that was read has no character but ASCII. */
  ascii = true;
  /** UTF-16 units of the whole text, read or not. */
  units = 0;
  /** UTF-16 units of the ask. */
  askUnits = 0;

  /** Reads `text`. Linear in the part that is read. */
  read(text: string): this {
    this.units = text.length;
    const end = this.#fill(text);
    const units = this.#units;
    const { words, signs, zones } = this;
    this.#count = this.#material = this.wordCount = 0;
    signs.questions = signs.codeFences = signs.codeLines = signs.formal = signs.digits = signs.cjk = 0;
    signs.lines = 1;
    const head = firstEnd(units, end);
    const tail = lastStart(units, end, head);
    this.askUnits = head + (end - tail);
    this.#head = head;
    this.#tail = tail;
    const before = wordTable.changes;
    let last = newline;
    for (let at = 0; at < end;) {
      const unit = units[at]!;
      const kind = unitKinds[unit]!;
      if (kind !== 0) {
        at = kind === 2 ? this.#run(at) : this.#word(at, last);
        last = units[at - 1]!;
        continue;
      }
      if (unit !== space) {
        countSign(units, at, last, signs);
        last = unit;
        if (isFence(units, at)) at += 2;
      }
      at++;
    }
    words.length = this.#count;
    zones.fill(zone.ask, words.length);
    this.#dropEvicted(before);
    return this;
  }

  /**
   * Copies the part that is read in lower case, letters folded, followed by zeros: typed arrays are read several times faster than strings. Returns its
   * length in units.
   */
  #fill(text: string): number {
    let length = Math.min(text.length, headUnits + 1 + tailUnits);
    this.#room(length);
    if (text.length <= headUnits + tailUnits) {
      length = text.length;
      this.#bytes.write(text, 0, 'utf16le');
    } else {
      this.#bytes.write(text.slice(0, headUnits), 0, 'utf16le');
      this.#units[headUnits] = newline;
      this.#bytes.write(text.slice(-tailUnits), 2 * (headUnits + 1), 'utf16le');
    }
    const plain = lowerAscii(this.#pairs, length);
    this.ascii = plain === length;
    if (!this.ascii) length = lowerUnits(this.#units, plain, length);
    if (length === -1) {
      const part = excerpt(text).toLowerCase();
      this.#room(part.length);
      this.#bytes.write(part, 0, 'utf16le');
      length = foldUnits(this.#units, part.length);
    }
    this.#units.fill(0, length, length + padding);
    return length;
  }

  #room(length: number): void {
    if (length + padding <= this.#units.length) return;
    const pairs = (length + padding + 1) >> 1;
    this.#bytes = Buffer.alloc(4 * pairs);
    this.#units = new Uint16Array(this.#bytes.buffer, this.#bytes.byteOffset, 2 * pairs);
    this.#pairs = new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset, pairs);
  }

  /** Reads a word from its first unit. Returns its end. */
  #word(start: number, last: number): number {
    const units = this.#units;
    let hash = hashStart;
    let digits = 0;
    let at = start;
    // The text ends with zeros, which belong to no word.
    const kept = this.#keeps(start);
    if (kept)
      for (let unit = units[at]!; unitKinds[unit] === 1; unit = units[++at]!) {
        hash = hashNext(hash, unit);
        if (unit <= 0x39) digits++;
      }
    else for (let unit = units[at]!; unitKinds[unit] === 1; unit = units[++at]!) if (unit <= 0x39) digits++;
    if (units[start]! <= 0x39 && (last === 0x5e || last === 0x3d || last === 0x3c || last === 0x3e)) this.signs.formal++;
    this.signs.digits += digits;
    this.wordCount++;
    if (kept) this.#push(start, at, hash, digits > 0 ? 'number' : 'word');
    return at;
  }

  /** Reads characters of a script without spaces. Returns their end. */
  #run(start: number): number {
    const units = this.#units;
    let hash = hashStart;
    let at = start;
    for (; unitKinds[units[at]!] === 2; at++) hash = hashNext(hash, units[at]!);
    this.signs.cjk += at - start;
    this.wordCount++;
    if (this.#keeps(start)) this.#push(start, at, hash, 'run');
    return at;
  }

  /** A later word of the same text may have taken the slot of an earlier one. `before`: the table's changes at the text's beginning. */
  #dropEvicted(before: number): void {
    if (wordTable.changes === before) return;
    const { words, slots } = this;
    for (let at = 0; at < words.length; at++) if (slots[at] !== -1 && wordTable.at(slots[at]!) !== words[at]) slots[at] = -1;
  }

  #isAsk(start: number): boolean {
    return start < this.#head || start >= this.#tail;
  }

  /** Whether there is room for a word that begins here. */
  #keeps(start: number): boolean {
    return this.#count < mostWords && (this.#material < mostMaterial || this.#isAsk(start));
  }

  #push(start: number, end: number, hash: number, of: 'word' | 'number' | 'run'): void {
    const ask = this.#isAsk(start);
    const at = this.#count;
    if (!ask) this.#material++;
    this.#count++;
    this.zones[at] = ask ? zone.ask : zone.material;
    const units = this.#units;
    // A number is hashed by its length only. Nothing with a digit in it is kept, because it could be part of a secret.
    this.hashes[at] = hashEnd(hash, units[start]!, end - start);
    this.unspaced[at] = of === 'run' ? 1 : 0;
    const slot = of === 'number' ? -1 : wordTable.slotOf(units, start, end, hash);
    this.slots[at] = slot;
    this.words[at] = slot === -1 ? this.#bytes.toString('utf16le', 2 * start, 2 * end) : wordTable.at(slot);
  }
}

/** The part of a text that is read. */
function excerpt(text: string): string {
  return text.length <= headUnits + tailUnits ? text : `${text.slice(0, headUnits)}\n${text.slice(-tailUnits)}`;
}

/** End of the ask at the beginning: the first line that is long enough, including everything before it. */
function firstEnd(units: Uint16Array, length: number): number {
  const last = Math.min(length, firstAsk);
  for (let at = shortestAsk; at < last; at++) if (units[at] === newline) return at;
  return last;
}

/** Start of the ask at the end: the last non-empty line; not before `head`. */
function lastStart(units: Uint16Array, length: number, head: number): number {
  let end = length;
  while (end > head && units[end - 1]! <= space) end--;
  // What is before the ask at the beginning does not count.
  const least = Math.max(head, end - lastAsk);
  for (let at = Math.min(Math.max(head, end - shortestAsk), length - 1); at >= least; at--) if (units[at] === newline) return at + 1;
  return least;
}

function countSign(units: Uint16Array, at: number, last: number, signs: Signs): void {
  const unit = units[at]!;
  switch (unit) {
    case newline:
      signs.lines++;
      if (last === 0x7b || last === 0x7d || last === 0x3b || isIndented(units, at + 1)) signs.codeLines++;
      return;
    case 0x3f: // ?
    case 0xff1f: // ？
    case 0x61f: // ؟
      signs.questions++;
      return;
    case 0x60: // `
      if (isFence(units, at)) signs.codeFences++;
      return;
    case 0x5c: // \
      signs.formal++;
      return;
    default:
      if (unit >= 0x2190 && unit <= 0x22ff) signs.formal++;
  }
}

/** Three backticks. */
function isFence(units: Uint16Array, at: number): boolean {
  return units[at] === 0x60 && units[at + 1] === 0x60 && units[at + 2] === 0x60;
}

/** Letters, marks and digits; above ASCII everything but the blocks of punctuation, signs and spaces. */
function isWord(unit: number): boolean {
  if (unit < 0x80)
    return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39) || unit === 0x5f || (unit >= 0x41 && unit <= 0x5a);
  if (unit < 0xc0) return unit === 0xaa || unit === 0xb5 || unit === 0xba;
  if (unit >= 0x2000 && unit <= 0x2bff) return false;
  if (unit >= 0x3000 && unit <= 0x303f) return false;
  if (unit >= 0xff00 && unit <= 0xff65)
    return (unit >= 0xff10 && unit <= 0xff19) || (unit >= 0xff21 && unit <= 0xff3a) || (unit >= 0xff41 && unit <= 0xff5a);
  return unit !== 0xd7 && unit !== 0xf7 && unit !== 0x61f && unit !== 0x60c && unit !== 0x964;
}

/** 1 for a unit of a word, 2 for a unit of a script without spaces, 0 for all others. */
const unitKinds = Uint8Array.from({ length: 0x10000 }, (_, unit) => (isWord(unit) ? (isUnspaced(unit) ? 2 : 1) : 0));

/** Chinese characters, kana and Hangul: runs of them are split into characters, not words. */
export function isUnspaced(unit: number): boolean {
  return (unit >= 0x3040 && unit <= 0x30ff) || (unit >= 0x3400 && unit <= 0x9fff) || (unit >= 0xac00 && unit <= 0xd7af);
}

/** Four spaces or a tab, followed by any other character. */
function isIndented(units: Uint16Array, from: number): boolean {
  if (units[from] === 0x09) return units[from + 1]! > space;
  for (let at = from; at < from + 4; at++) if (units[at] !== space) return false;
  return units[from + 4]! > space;
}
