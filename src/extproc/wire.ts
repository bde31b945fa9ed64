/** Protobuf wire primitives, reading in place and writing into one growing buffer. */

export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Reads one message's fields from a slice of a Buffer. Throws WireError on anything malformed. */
export class WireReader {
  #bytes: Buffer;
  #end: number;
  #at: number;
  /** Field number and wire type of the field that `next` found. */
  field = 0;
  #type = 0;
  /** Byte range of the field that `pass` skipped last. */
  from = 0;
  to = 0;

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Reads other bytes from now on: a reader that is used for every message is made once. */
  begin(bytes: Buffer, start = 0, end: number = bytes.length): this {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    return this;
  }

  /** Moves to the next field; false at the end. The previous field must have been read or skipped. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.varint();
    this.field = tag >>> 3;
    this.#type = tag & 7;
    if (this.field === 0) throw new WireError('field number 0');
    return true;
  }

  /** A varint as an unsigned 32-bit number; higher bits are dropped, as protobuf does for int32 and bool. */
  varint(): number {
    let result = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw new WireError('truncated varint');
      const byte = this.#bytes[this.#at++]!;
      if (shift < 32) result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result >>> 0;
    }
    throw new WireError('varint too long');
  }

  /** The value of a varint field. */
  number(): number {
    this.#expect(0);
    return this.varint();
  }

  double(): number {
    this.#expect(1);
    const at = this.#take(8);
    return this.#bytes.readDoubleLE(at);
  }

  /** The bytes of a length-delimited field, not copied. */
  bytes(): Buffer {
    const length = this.#length();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Skips a length-delimited field; `from` and `to` are its byte range. */
  pass(): void {
    const length = this.#length();
    this.from = this.#take(length);
    this.to = this.#at;
  }

  string(): string {
    const length = this.#length();
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** Whether the last skipped field equals these bytes, without copying. */
  passed(expected: Buffer): boolean {
    if (this.to - this.from !== expected.length) return false;
    for (let at = 0; at < expected.length; at++) if (this.#bytes[this.from + at] !== expected[at]) return false;
    return true;
  }

  /** Enters an embedded message: `next` finds its fields until `leave` is called with the returned value. */
  enter(): number {
    const length = this.#length();
    const at = this.#take(length);
    const outer = this.#end;
    this.#at = at;
    this.#end = at + length;
    return outer;
  }

  /** Continues after an embedded message, however much of it was read. */
  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  /** A reader over an embedded message. */
  message(): WireReader {
    const length = this.#length();
    const at = this.#take(length);
    return new WireReader(this.#bytes, at, at + length);
  }

  skip(): void {
    switch (this.#type) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#take(8);
        return;
      case 2:
        this.#take(this.varint());
        return;
      case 5:
        this.#take(4);
        return;
      default:
        throw new WireError(`wire type ${this.#type}`);
    }
  }

  #length(): number {
    this.#expect(2);
    return this.varint();
  }

  #expect(type: number): void {
    if (this.#type !== type) throw new WireError(`field ${this.field} has wire type ${this.#type}, not ${type}`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw new WireError('truncated field');
    this.#at = at + length;
    return at;
  }
}

/** Bytes that are not copied into the message but inserted between two of its parts: the message length after them, and the bytes. */
interface Cut {
  readonly after: number;
  readonly bytes: Uint8Array;
}

/** From this size on, bytes are not copied. */
const largeBytes = 16_384;
const firstBytes = 4_096;
const shortString = 64;

/**
 * Writes one message from its end to its beginning, into memory that is reused for every message: when a length is written, its content
 * already exists, so no intermediate buffers are needed. Write the last field first.
 */
export class WireWriter {
  #target: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  #at = firstBytes;
  /** Bytes of the cuts so far. */
  #cutBytes = 0;
  #cuts: Cut[] = [];

  /** Bytes written so far. */
  get length(): number {
    return this.#target.length - this.#at + this.#cutBytes;
  }

  /** A varint field. */
  varint(field: number, value: number): void {
    this.#number(value);
    this.#number(field << 3);
  }

  /** A double field. */
  double(field: number, value: number): void {
    const at = this.#room(8);
    this.#target.writeDoubleLE(value, at);
    this.#number((field << 3) | 1);
  }

  /** A bytes field, of one or several consecutive pieces; each is copied at most once. */
  bytes(field: number, value: Uint8Array | readonly Uint8Array[]): void {
    const end = this.length;
    if (value instanceof Uint8Array) this.#piece(value);
    else for (let at = value.length - 1; at >= 0; at--) this.#piece(value[at]!);
    this.message(field, end);
  }

  /** A string field in UTF-8. */
  string(field: number, value: string): void {
    const end = this.length;
    if (value.length > shortString || !this.#ascii(value)) {
      const from = this.#room(3 * value.length);
      const to = from + 3 * value.length;
      const bytes = this.#target.write(value, from, 3 * value.length, 'utf8');
      this.#target.copyWithin(to - bytes, from, from + bytes);
      this.#at = to - bytes;
    }
    this.message(field, end);
  }

  /** Wraps everything written since `end` (the length at that time) in an embedded message. */
  message(field: number, end: number): void {
    this.#number(this.length - end);
    this.#number((field << 3) | 2);
  }

  /** Begins a message and discards the previous one. */
  begin(): void {
    this.#at = this.#target.length;
    this.#cutBytes = 0;
    if (this.#cuts.length > 0) this.#cuts = [];
  }

  /** The message after `lead` bytes that the caller fills, in pieces; large pieces are the fields' own buffers. */
  finish(lead = 0): Buffer[] {
    const target = this.#target;
    const own = Buffer.allocUnsafe(lead + target.length - this.#at);
    target.copy(own, lead, this.#at);
    return this.#cuts.length === 0 ? [own] : piecesOf(own, this.#cuts, lead + this.length);
  }

  /** Writes a short string unit by unit, which is cheaper than a call to write it; false, with nothing written, if it is not ASCII. */
  #ascii(value: string): boolean {
    const from = this.#room(value.length);
    const target = this.#target;
    for (let at = value.length - 1; at >= 0; at--) {
      const unit = value.charCodeAt(at);
      if (unit >= 0x80) {
        this.#at = from + value.length;
        return false;
      }
      target[from + at] = unit;
    }
    return true;
  }

  #piece(bytes: Uint8Array): void {
    if (bytes.length >= largeBytes) {
      this.#cuts.push({ after: this.length, bytes });
      this.#cutBytes += bytes.length;
      return;
    }
    const at = this.#room(bytes.length);
    this.#target.set(bytes, at);
  }

  #number(value: number): void {
    let size = 1;
    for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size++;
    let at = this.#room(size);
    let rest = value;
    while (rest >= 0x80) {
      this.#target[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#target[at] = rest;
  }

  /** Reserves this many bytes before those already written; returns their offset. */
  #room(bytes: number): number {
    if (bytes > this.#at) {
      const before = this.#target;
      const held = before.length - this.#at;
      this.#target = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(held + bytes)));
      before.copy(this.#target, this.#target.length - held, this.#at);
      this.#at = this.#target.length - held;
    }
    return (this.#at -= bytes);
  }
}

/** Splits `own` at the cuts (last one first) and inserts their bytes; `all`: total bytes. */
function piecesOf(own: Buffer, cuts: readonly Cut[], all: number): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  let at = 0;
  for (let index = cuts.length - 1; index >= 0; index--) {
    const { after, bytes } = cuts[index]!;
    const before = all - after - bytes.length - at;
    pieces.push(own.subarray(from, from + before), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    from += before;
    at += before + bytes.length;
  }
  if (from < own.length) pieces.push(own.subarray(from));
  return pieces;
}
