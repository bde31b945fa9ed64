import { grown } from './grown.ts';

const quote = 0x22;
const backslash = 0x5c;
const hexDigits = '0123456789abcdef';

/** The letter of a control character's short escape, by its code; 0 if it has none. */
const shortEscapes = new Uint8Array(0x20);
for (const [code, letter] of [
  [0x08, 'b'],
  [0x09, 't'],
  [0x0a, 'n'],
  [0x0c, 'f'],
  [0x0d, 'r'],
] as const)
  shortEscapes[code] = letter.charCodeAt(0);

/** Numbers from `smallest` to `largest` are written without a text. */
const smallest = 1e-6;
const largest = 1e15;
const powers = Array.from({ length: 16 }, (_, decimals) => Number(`1e${decimals}`));

function digitsOf(whole: number): number {
  let digits = 1;
  while (digits < powers.length && whole >= powers[digits]!) digits++;
  return digits;
}

/** Most bytes that one UTF-16 unit can take: `\udead`. */
const mostUnitBytes = 6;
const firstBytes = 8_192;

/**
 * Writes JSON as UTF-8 into memory that is reused: the same bytes as those of `JSON.stringify`, without the text in between, which would be
 * garbage of several kilobytes for each value.
 */
export class JsonBytes {
  #bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  /** Bytes of the last value. */
  length = 0;

  /** Replaces what was written by `value`: JSON data without cycles. Objects of a class are written as `JSON.stringify` would. */
  write(value: unknown): this {
    this.length = 0;
    this.#value(value);
    return this;
  }

  /** Copies the bytes to `target` at `at`, which has room for them. */
  copyTo(target: Buffer, at: number): void {
    this.#bytes.copy(target, at, 0, this.length);
  }

  toString(): string {
    return this.#bytes.toString('utf8', 0, this.length);
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.#text(value);
        return;
      case 'number':
        this.#number(value);
        return;
      case 'boolean':
        this.#plain(value ? 'true' : 'false');
        return;
      case 'object':
        if (value === null) this.#plain('null');
        else if (Array.isArray(value)) this.#list(value);
        else this.#object(value);
        return;
      default:
        this.#plain('null');
    }
  }

  #object(value: object): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value) {
      this.#otherwise(value);
      return;
    }
    const members = value as Readonly<Record<string, unknown>>;
    let any = false;
    this.#byte(0x7b);
    for (const name in members) {
      const member = members[name];
      if (member === undefined || typeof member === 'function' || typeof member === 'symbol') continue;
      if (any) this.#byte(0x2c);
      any = true;
      this.#text(name);
      this.#byte(0x3a);
      this.#value(member);
    }
    this.#byte(0x7d);
  }

  #list(values: readonly unknown[]): void {
    this.#byte(0x5b);
    for (let at = 0; at < values.length; at++) {
      if (at > 0) this.#byte(0x2c);
      this.#value(values[at]);
    }
    this.#byte(0x5d);
  }

  /** An object of a class: rare in records, and JSON has rules for it. */
  #otherwise(value: object): void {
    const text = JSON.stringify(value) as string | undefined;
    const bytes = Buffer.from(text ?? 'null');
    this.#room(bytes.length);
    this.length += bytes.copy(this.#bytes, this.length);
  }

  #number(value: number): void {
    if (!Number.isFinite(value)) {
      this.#plain('null');
      return;
    }
    // Smaller ones are written with an exponent.
    if (value !== 0 && !(value >= smallest && value < largest)) {
      this.#plain(String(value));
      return;
    }
    const whole = Math.floor(value);
    if (whole === value) {
      this.#digits(whole, digitsOf(whole));
      return;
    }
    for (let decimals = 1; decimals < powers.length; decimals++) {
      const scaled = Math.round(value * powers[decimals]!);
      if (scaled >= largest) break;
      // With at most 15 digits, the decimal that gives the same number is its shortest one.
      if (scaled / powers[decimals]! !== value) continue;
      this.#digits(whole, digitsOf(whole));
      this.#byte(0x2e);
      this.#digits(scaled - whole * powers[decimals]!, decimals);
      return;
    }
    this.#plain(String(value));
  }

  /** The last `digits` digits of a whole number. */
  #digits(value: number, digits: number): void {
    this.#room(digits);
    const bytes = this.#bytes;
    let rest = value;
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      const next = Math.floor(rest / 10);
      bytes[at] = 0x30 + rest - 10 * next;
      rest = next;
    }
    this.length += digits;
  }

  /** ASCII without a character that JSON escapes. */
  #plain(text: string): void {
    this.#room(text.length);
    const bytes = this.#bytes;
    const from = this.length;
    for (let i = 0; i < text.length; i++) bytes[from + i] = text.charCodeAt(i);
    this.length += text.length;
  }

  /** Unit by unit: most texts here are shorter than what a call to write them costs. */
  #text(text: string): void {
    this.#room(2 + mostUnitBytes * text.length);
    const bytes = this.#bytes;
    let at = this.length;
    bytes[at++] = quote;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) {
        if (unit >= 0x20 && unit !== quote && unit !== backslash) bytes[at++] = unit;
        else at = this.#escaped(unit, at);
      } else if (unit < 0x800) {
        bytes[at++] = 0xc0 | (unit >> 6);
        bytes[at++] = 0x80 | (unit & 0x3f);
      } else if (unit < 0xd800 || unit > 0xdfff) {
        bytes[at++] = 0xe0 | (unit >> 12);
        bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
        bytes[at++] = 0x80 | (unit & 0x3f);
      } else {
        const low = unit < 0xdc00 && i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
        if (low >= 0xdc00 && low <= 0xdfff) {
          const point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
          bytes[at++] = 0xf0 | (point >> 18);
          bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
          bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
          bytes[at++] = 0x80 | (point & 0x3f);
          i++;
        } else at = this.#escaped(unit, at);
      }
    }
    bytes[at++] = quote;
    this.length = at;
  }

  /** Writes an escape at `at`; returns its end. */
  #escaped(unit: number, at: number): number {
    const bytes = this.#bytes;
    bytes[at] = backslash;
    const letter = unit === quote || unit === backslash ? unit : unit < 0x20 ? shortEscapes[unit]! : 0;
    if (letter !== 0) {
      bytes[at + 1] = letter;
      return at + 2;
    }
    bytes[at + 1] = 0x75;
    for (let digit = 0; digit < 4; digit++) bytes[at + 2 + digit] = hexDigits.charCodeAt((unit >> (12 - 4 * digit)) & 0xf);
    return at + 6;
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.length++] = byte;
  }

  #room(bytes: number): void {
    if (this.length + bytes > this.#bytes.length) this.#bytes = grown(this.#bytes, 0, this.length, bytes);
  }
}
