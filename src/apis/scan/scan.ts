import { InternedTexts } from '../../lib/interned.ts';
import { limits } from '../../lib/limits.ts';

export type ScanFault = 'invalid-json' | 'too-deep';

/** Thrown inside this folder only; every public reader converts it to a result. */
export class ScanError extends Error {
  readonly fault: ScanFault;
  constructor(fault: ScanFault, what: string) {
    super(what);
    this.fault = fault;
  }
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;

const wordTrue = Buffer.from('true');
const wordFalse = Buffer.from('false');
const wordNull = Buffer.from('null');

const names = new InternedTexts();

/** One byte per level while a cursor skips: 1 = object, 0 = array. Skipping makes no callbacks, so all cursors share it. */
const levels = new Uint8Array(limits.jsonDepth);

/** A string token: the offsets of the text between its quotes, and what it contains. */
export interface StringToken {
  /** After the opening quote. */
  start: number;
  /** Before the closing quote. */
  end: number;
  escaped: boolean;
}

/**
 * Walks JSON bytes in place, once, and checks the grammar. A caller reads the members that it knows and skips the others; skipping stores
 * only one byte per level, so depth is cheap. Throws ScanError.
 */
export class JsonCursor {
  readonly bytes: Buffer;
  at = 0;
  /** Number of white space runs between tokens so far. */
  gaps = 0;
  /** Bytes above 0x7f in the last string token. */
  highBytes = 0;
  readonly #token: StringToken = { start: 0, end: 0, escaped: false };
  readonly #view: DataView;
  #depth = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The byte at the next token. Throws at the end of input. */
  peek(): number {
    const { bytes } = this;
    let at = this.at;
    let byte = bytes[at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at];
    if (at !== this.at) {
      this.gaps++;
      this.at = at;
    }
    if (byte === undefined) throw new ScanError('invalid-json', 'unexpected end');
    return byte;
  }

  /** Throws unless nothing but white space is left. */
  finish(): void {
    const { bytes } = this;
    while (this.at < bytes.length) {
      const byte = bytes[this.at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
        throw new ScanError('invalid-json', `trailing byte at ${this.at}`);
      this.at++;
    }
  }

  /**
   * Calls `member` with each key, this cursor, and `context`; it must consume the value. Throws when the next value is not an object. A
   * function that gets all it needs this way is made once, not once for each object.
   */
  object(member: (key: string) => void): void;
  object<C>(member: (key: string, cursor: JsonCursor, context: C) => void, context: C): void;
  object<C>(member: (key: string, cursor: JsonCursor, context: C | undefined) => void, context?: C): void {
    this.#expect(openBrace);
    this.#enter();
    if (this.peek() === closeBrace) {
      this.at++;
      this.#depth--;
      return;
    }
    for (;;) {
      const key = this.#name();
      this.#expect(colon);
      member(key, this, context);
      if (!this.#more(closeBrace)) break;
    }
    this.#depth--;
  }

  /** A member's name: only a few are used, and they are the same in every body. */
  #name(): string {
    const from = this.at;
    const token = this.stringToken();
    if (!token.escaped && this.highBytes === 0) return names.latin1(this.bytes, token.start, token.end);
    this.at = from;
    return this.string();
  }

  /** Calls `item` before each element, also with this cursor and `context`; it must consume it. Throws when the next value is not an array. */
  array(item: (index: number) => void): void;
  array<C>(item: (index: number, cursor: JsonCursor, context: C) => void, context: C): void;
  array<C>(item: (index: number, cursor: JsonCursor, context: C | undefined) => void, context?: C): void {
    this.#expect(openBracket);
    this.#enter();
    if (this.peek() === closeBracket) {
      this.at++;
      this.#depth--;
      return;
    }
    for (let index = 0; ; index++) {
      item(index, this, context);
      if (!this.#more(closeBracket)) break;
    }
    this.#depth--;
  }

  isObject(): boolean {
    return this.peek() === openBrace;
  }

  isArray(): boolean {
    return this.peek() === openBracket;
  }

  isNull(): boolean {
    return this.peek() === 0x6e;
  }

  isString(): boolean {
    return this.peek() === quote;
  }

  /** Skips a string and returns its position. The token is reused by the next call. */
  stringToken(): StringToken {
    if (this.peek() !== quote) throw new ScanError('invalid-json', `no string at ${this.at}`);
    const { bytes } = this;
    const token = this.#token;
    const start = this.at + 1;
    const lastWord = bytes.length - 4;
    let at = start;
    let high = 0;
    let escaped = false;
    for (;;) {
      // Read four bytes at a time until one is a quote, a backslash, a control character or non-ASCII.
      while (at <= lastWord && !this.#needsCare(at)) at += 4;
      let byte = bytes[at];
      while (byte !== undefined && byte >= 0x80) {
        high++;
        byte = bytes[++at];
      }
      if (byte === quote) break;
      if (byte === backslash) {
        escaped = true;
        at = this.#escape(at);
        continue;
      }
      if (byte === undefined || byte < 0x20) throw new ScanError('invalid-json', `bad string at ${at}`);
      at++;
    }
    token.start = start;
    token.end = at;
    token.escaped = escaped;
    this.highBytes = high;
    this.at = at + 1;
    return token;
  }

  /**
   * Whether the string scan must look at one of the four bytes at `at`. Subtracting from each byte sets its top bit if it was smaller; a
   * borrow may set one too many, which only costs a second look.
   */
  #needsCare(at: number): boolean {
    const word = this.#view.getInt32(at, true);
    return (((word - 0x20202020) | ((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101) | word) & 0x80808080) !== 0;
  }

  /** The last string that was read: within `object`, before the value is read, the member's name. Reused by the next one. */
  get lastString(): StringToken {
    return this.#token;
  }

  /** The value of the string that was read last. */
  lastText(): string {
    const token = this.#token;
    if (!token.escaped && this.highBytes === 0) return names.latin1(this.bytes, token.start, token.end);
    return JSON.parse(this.bytes.toString('utf8', token.start - 1, token.end + 1)) as string;
  }

  /** A string that is one of a few names, such as a role; null after skipping anything else. Known names are not made again. */
  nameOrNull(): string | null {
    if (this.isString()) {
      this.stringToken();
      return this.lastText();
    }
    this.skip();
    return null;
  }

  /** A string's value. For short strings: keys, roles, enumerations. */
  string(): string {
    const token = this.stringToken();
    if (!token.escaped) return this.bytes.toString(this.highBytes === 0 ? 'latin1' : 'utf8', token.start, token.end);
    return JSON.parse(this.bytes.toString('utf8', token.start - 1, token.end + 1)) as string;
  }

  /** A string's value, or null after skipping anything else. */
  stringOrNull(): string | null {
    if (this.isString()) return this.string();
    this.skip();
    return null;
  }

  /** A finite number, or null after skipping anything else. */
  numberOrNull(): number | null {
    const byte = this.peek();
    const start = this.at;
    this.skip();
    if (byte !== 0x2d && (byte < 0x30 || byte > 0x39)) return null;
    const value = Number(this.bytes.toString('latin1', start, this.at));
    return Number.isFinite(value) ? value : null;
  }

  /**
   * A requested count: whole, at least 1, at most `most` (a larger one is reduced to it); null after skipping anything else. Sluice does
   * not correct the number in the body; it only needs a usable value.
   */
  countOrNull(most: number): number | null {
    const start = this.peek();
    const from = this.at;
    const value = this.numberOrNull();
    if (value !== null) return value > 0 ? Math.min(most, Math.ceil(value)) : null;
    // Too large for a number, for example 1e999.
    return start >= 0x30 && start <= 0x39 && this.at > from ? most : null;
  }

  /** A boolean, or null after skipping anything else. */
  booleanOrNull(): boolean | null {
    const byte = this.peek();
    this.skip();
    return byte === 0x74 ? true : byte === 0x66 ? false : null;
  }

  /** The value's own bytes. */
  raw(): Buffer {
    this.peek();
    const start = this.at;
    this.skip();
    return this.bytes.subarray(start, this.at);
  }

  /** The value's JSON: for small values. */
  json(): string {
    this.peek();
    const start = this.at;
    this.skip();
    return this.bytes.toString('utf8', start, this.at);
  }

  /** The value as JSON.parse reads it: for small values. */
  parsed(): unknown {
    return JSON.parse(this.json());
  }

  /** Skips one value of any kind and checks it. */
  skip(): void {
    const base = this.#depth;
    for (;;) {
      let byte = this.peek();
      if (byte === openBrace || byte === openBracket) {
        const isObject = byte === openBrace;
        this.at++;
        this.#enter();
        levels[this.#depth - 1] = isObject ? 1 : 0;
        byte = this.peek();
        if (byte === (isObject ? closeBrace : closeBracket)) {
          this.at++;
          this.#depth--;
        } else {
          if (isObject) this.#key();
          continue;
        }
      } else {
        this.#scalar(byte);
      }
      // A value ended: close the containers that end with it.
      for (;;) {
        if (this.#depth === base) return;
        const isObject = levels[this.#depth - 1] === 1;
        if (this.#more(isObject ? closeBrace : closeBracket)) {
          if (isObject) this.#key();
          break;
        }
        this.#depth--;
      }
    }
  }

  #key(): void {
    this.stringToken();
    this.#expect(colon);
  }

  #enter(): void {
    if (this.#depth >= limits.jsonDepth) throw new ScanError('too-deep', `more than ${limits.jsonDepth} levels`);
    this.#depth++;
  }

  /** After a value: true at a comma, false (and past it) at the closing byte. */
  #more(close: number): boolean {
    const byte = this.peek();
    this.at++;
    if (byte === comma) return true;
    if (byte === close) return false;
    throw new ScanError('invalid-json', `unexpected byte at ${this.at - 1}`);
  }

  #expect(byte: number): void {
    if (this.peek() !== byte) throw new ScanError('invalid-json', `unexpected byte at ${this.at}`);
    this.at++;
  }

  #scalar(byte: number): void {
    if (byte === quote) this.stringToken();
    else if (byte === 0x74) this.#word(wordTrue);
    else if (byte === 0x66) this.#word(wordFalse);
    else if (byte === 0x6e) this.#word(wordNull);
    else this.#number(byte);
  }

  #word(word: Buffer): void {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.at + i] !== word[i]) throw new ScanError('invalid-json', `bad literal at ${this.at}`);
    }
    this.at += word.length;
  }

  #number(first: number): void {
    const { bytes } = this;
    let at = this.at;
    if (first === 0x2d) at++;
    if (bytes[at] === 0x30) at++;
    else at = this.#digits(at);
    if (bytes[at] === 0x2e) at = this.#digits(at + 1);
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      at++;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
      at = this.#digits(at);
    }
    this.at = at;
  }

  /** The offset after one or more digits. */
  #digits(from: number): number {
    let at = from;
    while (isDigit(this.bytes[at])) at++;
    if (at === from) throw new ScanError('invalid-json', `bad number at ${from}`);
    return at;
  }

  /** The offset after one escape. A lone surrogate is refused: providers read it differently. */
  #escape(at: number): number {
    const kind = this.bytes[at + 1];
    switch (kind) {
      case 0x22:
      case 0x5c:
      case 0x2f:
      case 0x62:
      case 0x66:
      case 0x6e:
      case 0x72:
      case 0x74:
        return at + 2;
      case 0x75: {
        const unit = this.#hex(at + 2);
        if (unit < 0xd800 || unit > 0xdfff) return at + 6;
        if (unit > 0xdbff || this.bytes[at + 6] !== backslash || this.bytes[at + 7] !== 0x75)
          throw new ScanError('invalid-json', `lone surrogate at ${at}`);
        const low = this.#hex(at + 8);
        if (low < 0xdc00 || low > 0xdfff) throw new ScanError('invalid-json', `lone surrogate at ${at}`);
        return at + 12;
      }
      default:
        throw new ScanError('invalid-json', `bad escape at ${at}`);
    }
  }

  #hex(at: number): number {
    let value = 0;
    for (let i = at; i < at + 4; i++) {
      const byte = this.bytes[i] ?? 0;
      const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66 ? (byte | 0x20) - 0x57 : -1;
      if (digit < 0) throw new ScanError('invalid-json', `bad escape at ${at}`);
      value = value * 16 + digit;
    }
    return value;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
