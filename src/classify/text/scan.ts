import { InternedTexts } from '../../lib/interned.ts';

/**
 * Cuts a prompt into what the text model reads: words of the ask and of the material around it, and counts of signs. One pass, no regular
 * expression. The ask is the first and the last paragraph, each bounded: people state a task before or after what they paste.
 */

/** Characters of a text that are read: its beginning and its end. */
const headUnits = 1_500;
const tailUnits = 500;
/** Longest ask at the beginning and at the end, in characters. */
const firstAsk = 320;
const lastAsk = 260;
/** A first line that is shorter is a greeting or a title: the next one still belongs to the ask. */
const shortestAsk = 16;
/** Most words of a text. */
export const mostWords = 640;

/** Where a word stands. */
export const zone = { ask: 0, material: 1 } as const;

/** What was counted in the part that was read. */
export interface Signs {
  questions: number;
  codeFences: number;
  /** Lines that end or begin as code does. */
  codeLines: number;
  /** Mathematical signs, powers, comparisons with a number, TeX commands. */
  formal: number;
  digits: number;
  lines: number;
  cjk: number;
}

/** Words of all texts: most are frequent ones. */
const interned = new InternedTexts();

const newline = 0x0a;
const space = 0x20;

/** The words of one text, reused from text to text: nothing is allocated but the words themselves. */
export class TextWords {
  readonly words: string[] = [];
  /** Words that were found so far: the list is cut to its length at the end, so that its memory serves the next text. */
  #count = 0;
  readonly zones = new Uint8Array(mostWords);
  readonly signs: Signs = { questions: 0, codeFences: 0, codeLines: 0, formal: 0, digits: 0, lines: 0, cjk: 0 };
  /** UTF-16 units of the whole text, read or not. */
  units = 0;
  /** Units of the ask. */
  askUnits = 0;

  /** Reads `text`. Linear in the part that is read. */
  read(text: string): this {
    this.units = text.length;
    const part = excerpt(text).toLowerCase();
    const { words, signs, zones } = this;
    this.#count = 0;
    signs.questions = signs.codeFences = signs.codeLines = signs.formal = signs.digits = signs.cjk = 0;
    signs.lines = 1;
    const head = firstEnd(part);
    const tail = lastStart(part, head);
    this.askUnits = head + (part.length - tail);
    let start = -1;
    let cjk = false;
    let last = newline;
    for (let at = 0; at <= part.length; at++) {
      const unit = at === part.length ? newline : part.charCodeAt(at);
      const kind = unit < 0x80 ? asciiKinds[unit]! : isWord(unit) ? (isCjk(unit) ? 2 : 1) : 0;
      if (kind !== 0) {
        if (start !== -1 && cjk !== (kind === 2)) start = this.#push(part, start, at, head, tail);
        if (start === -1) start = at;
        cjk = kind === 2;
        if (cjk) signs.cjk++;
        else if (unit >= 0x30 && unit <= 0x39) {
          signs.digits++;
          if (last === 0x5e || last === 0x3d || last === 0x3c || last === 0x3e) signs.formal++;
        }
        last = unit;
        continue;
      }
      if (start !== -1) start = this.#push(part, start, at, head, tail);
      if (unit === space) continue;
      if (at < part.length) countSign(part, at, unit, last, signs);
      if (unit === 0x60 && part.startsWith('```', at)) at += 2;
      last = unit;
    }
    words.length = this.#count;
    zones.fill(zone.ask, words.length);
    return this;
  }

  #push(part: string, start: number, end: number, head: number, tail: number): -1 {
    const at = this.#count;
    if (at < mostWords) {
      this.zones[at] = start < head || start >= tail ? zone.ask : zone.material;
      this.words[at] = interned.slice(part, start, end);
      this.#count++;
    }
    return -1;
  }
}

/** The part of a text that is read. */
export function excerpt(text: string): string {
  return text.length <= headUnits + tailUnits ? text : `${text.slice(0, headUnits)}\n${text.slice(-tailUnits)}`;
}

/** Where the ask at the beginning ends: the first line that is long enough, with all before it. */
function firstEnd(text: string): number {
  let end = text.indexOf('\n', shortestAsk);
  if (end === -1) end = text.length;
  return Math.min(end, firstAsk);
}

/** Where the ask at the end begins: the last line with something in it; not before `head`. */
function lastStart(text: string, head: number): number {
  let end = text.length;
  while (end > head && text.charCodeAt(end - 1) <= space) end--;
  const from = text.lastIndexOf('\n', Math.max(head, end - shortestAsk)) + 1;
  return Math.max(head, from, end - lastAsk);
}

function countSign(text: string, at: number, unit: number, last: number, signs: Signs): void {
  switch (unit) {
    case newline:
      signs.lines++;
      if (last === 0x7b || last === 0x7d || last === 0x3b || isIndented(text, at + 1)) signs.codeLines++;
      return;
    case 0x3f: // ?
    case 0xff1f: // ？
    case 0x61f: // ؟
      signs.questions++;
      return;
    case 0x60: // `
      if (text.startsWith('```', at)) signs.codeFences++;
      return;
    case 0x5c: // \
      signs.formal++;
      return;
    default:
      if (unit >= 0x2190 && unit <= 0x22ff) signs.formal++;
  }
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

/** 1 for the units below 0x80 that belong to words. */
const asciiKinds = Uint8Array.from({ length: 0x80 }, (_, unit) => (isWord(unit) ? 1 : 0));

function isCjk(unit: number): boolean {
  return (unit >= 0x3040 && unit <= 0x30ff) || (unit >= 0x3400 && unit <= 0x9fff) || (unit >= 0xac00 && unit <= 0xd7af);
}

/** Four spaces or a tab, and then something. */
function isIndented(text: string, from: number): boolean {
  if (text.charCodeAt(from) === 0x09) return text.charCodeAt(from + 1) > space;
  return text.startsWith('    ', from) && text.charCodeAt(from + 4) > space;
}
