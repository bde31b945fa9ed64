import type { HeaderMap } from '../lib/headers.ts';
import { WireReader } from './wire.ts';

/**
 * Headers as a view of the message's bytes, scanned for each lookup: few headers are looked up, so a scan is cheaper than building a table.
 */
export class WireHeaders implements HeaderMap {
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #to: number;
  /** The scan's position: the next header, and the name and value of the current one. */
  #at = 0;
  #name = 0;
  #nameEnd = 0;
  #value = 0;
  #valueEnd = 0;
  #utf8 = false;
  /** The last lookup: the same few headers name a request's API and are looked up again and again. */
  #lastName: string | null = null;
  #lastValue: string | undefined;

  /** Bytes `from` to `to` are a HeaderMap. Throws WireError on a malformed one. */
  constructor(bytes: Buffer, from: number, to: number) {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    const reader = headersReader.begin(bytes, from, to);
    while (reader.next()) {
      if (reader.field === 1) checkHeader(reader);
      else reader.skip();
    }
  }

  get(name: string): string | undefined {
    if (name !== this.#lastName) {
      this.#lastName = name;
      this.#lastValue = this.#find(name);
    }
    return this.#lastValue;
  }

  #find(name: string): string | undefined {
    this.#at = this.#from;
    while (this.#next()) if (this.#nameEnd - this.#name === name.length && this.#isName(name)) return this.#text();
    return undefined;
  }

  repeated(name: string): boolean {
    let seen = false;
    this.#at = this.#from;
    while (this.#next()) {
      if (this.#nameEnd - this.#name !== name.length || !this.#isName(name)) continue;
      if (seen) return true;
      seen = true;
    }
    return false;
  }

  *entries(): Iterable<readonly [string, string]> {
    for (let at = this.#from; ; at = this.#at) {
      this.#at = at;
      if (!this.#next()) return;
      const next = this.#at;
      yield [this.#bytes.toString('latin1', this.#name, this.#nameEnd), this.#text()];
      this.#at = next;
    }
  }

  /** Moves to the next header. The bytes were validated: every field in them can be skipped. */
  #next(): boolean {
    while (this.#at < this.#to) {
      const tag = this.#varint();
      if (tag !== headerTag) {
        this.#pass(tag);
        continue;
      }
      const end = this.#varint() + this.#at;
      this.#name = this.#nameEnd = this.#value = this.#valueEnd = 0;
      while (this.#at < end) {
        const part = this.#varint();
        if (part === nameTag) {
          this.#nameEnd = this.#varint() + this.#at;
          this.#name = this.#at;
          this.#at = this.#nameEnd;
        } else if (part === valueTag || part === rawValueTag) {
          // Envoy sends either value or raw_value.
          this.#valueEnd = this.#varint() + this.#at;
          this.#value = this.#at;
          this.#at = this.#valueEnd;
          this.#utf8 = part === valueTag;
        } else this.#pass(part);
      }
      return true;
    }
    return false;
  }

  #varint(): number {
    let result = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++]!;
      if (shift < 32) result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result >>> 0;
    }
  }

  #pass(tag: number): void {
    const type = tag & 7;
    if (type === 0) this.#varint();
    else if (type === 1) this.#at += 8;
    else if (type === 5) this.#at += 4;
    else {
      const length = this.#varint();
      this.#at += length;
    }
  }

  #isName(name: string): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < name.length; i++) if (bytes[this.#name + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  #text(): string {
    return this.#bytes.toString(this.#utf8 ? 'utf8' : 'latin1', this.#value, this.#valueEnd);
  }
}

/** Tags of HeaderMap.headers and of HeaderValue's key, value and raw_value, all length-delimited. */
const headerTag = (1 << 3) | 2;
const nameTag = (1 << 3) | 2;
const valueTag = (2 << 3) | 2;
const rawValueTag = (3 << 3) | 2;

/** Validates a header's encoding. Throws WireError. */
function checkHeader(reader: WireReader): void {
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.field <= 3) reader.pass();
    else reader.skip();
  }
  reader.leave(outer);
}

const nothing: Buffer = Buffer.alloc(0);
/** Shared by all messages: each is read synchronously. */
const headersReader = new WireReader(nothing);

/** Lets go of the last message's bytes: a body may be large. */
export function releaseHeaders(): void {
  headersReader.begin(nothing);
}
