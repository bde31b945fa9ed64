/** Protobuf wire primitives, reading in place and writing into one growing buffer. */

export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Reads one message's fields from a slice of a Buffer. Throws WireError on anything malformed. */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  /** Field number and wire type of the field that `next` found. */
  field = 0;
  #type = 0;
  /** Of the field that was passed last. */
  from = 0;
  to = 0;

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Moves to the next field; false at the end. The field before must have been read or skipped. */
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

  /** Passes a length-delimited field: `from` and `to` tell where its bytes are. */
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

  /** Whether the bytes of a length-delimited field are these; none of them is copied. */
  is(expected: Buffer): boolean {
    const length = this.#length();
    const at = this.#take(length);
    return length === expected.length && this.#bytes.compare(expected, 0, length, at, at + length) === 0;
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

/** Bytes that are not copied into a message but stand between two of its parts: where, and which. */
interface Cut {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A message part: bytes that are ready, or a nested list with its length known. */
export interface Part {
  readonly size: number;
  /** Of these, how many are left out where `cuts` is given. */
  readonly large: number;
  write(target: Buffer, at: number, cuts?: Cut[]): number;
}

/** From here on bytes are not worth a copy. */
const largeBytes = 16_384;

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size++;
  return size;
}

function putVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** A varint field. */
export function varintField(field: number, value: number): Part {
  const tag = field << 3;
  return {
    size: varintSize(tag) + varintSize(value),
    large: 0,
    write: (target, at) => putVarint(target, putVarint(target, at, tag), value),
  };
}

/** A double field. */
export function doubleField(field: number, value: number): Part {
  const tag = (field << 3) | 1;
  return { size: varintSize(tag) + 8, large: 0, write: (target, at) => target.writeDoubleLE(value, putVarint(target, at, tag)) };
}

/** A bytes field, of one piece or of some that follow each other; each is copied at the end, once or not at all. */
export function bytesField(field: number, value: Uint8Array | readonly Uint8Array[]): Part {
  const tag = (field << 3) | 2;
  const pieces = value instanceof Uint8Array ? [value] : value;
  let length = 0;
  let large = 0;
  for (const piece of pieces) {
    length += piece.length;
    if (piece.length >= largeBytes) large += piece.length;
  }
  return {
    size: varintSize(tag) + varintSize(length) + length,
    large,
    write(target, at, cuts) {
      let next = putVarint(target, putVarint(target, at, tag), length);
      for (const piece of pieces) {
        if (cuts !== undefined && piece.length >= largeBytes) {
          cuts.push({ at: next, bytes: piece });
          continue;
        }
        target.set(piece, next);
        next += piece.length;
      }
      return next;
    },
  };
}

/** A string field in UTF-8. */
export function stringField(field: number, value: string): Part {
  const tag = (field << 3) | 2;
  const length = Buffer.byteLength(value);
  return {
    size: varintSize(tag) + varintSize(length) + length,
    large: 0,
    write(target, at) {
      const start = putVarint(target, putVarint(target, at, tag), length);
      return start + target.write(value, start, length, 'utf8');
    },
  };
}

/** An embedded message of parts. */
export function messageField(field: number, parts: readonly Part[]): Part {
  const tag = (field << 3) | 2;
  let length = 0;
  let large = 0;
  for (const part of parts) {
    length += part.size;
    large += part.large;
  }
  return {
    size: varintSize(tag) + varintSize(length) + length,
    large,
    write(target, at, cuts) {
      let next = putVarint(target, putVarint(target, at, tag), length);
      for (const part of parts) next = part.write(target, next, cuts);
      return next;
    },
  };
}

/** All parts as one message's bytes, behind `lead` bytes that the caller fills. */
export function encodeParts(parts: readonly Part[], lead = 0): Buffer {
  let size = lead;
  for (const part of parts) size += part.size;
  const target = Buffer.allocUnsafe(size);
  let at = lead;
  for (const part of parts) at = part.write(target, at);
  return target;
}

/** The same bytes in pieces, of which large ones are the fields' own: nothing large is copied. */
export function encodePieces(parts: readonly Part[], lead = 0): Buffer[] {
  let size = lead;
  for (const part of parts) size += part.size - part.large;
  const target = Buffer.allocUnsafe(size);
  const cuts: Cut[] = [];
  let at = lead;
  for (const part of parts) at = part.write(target, at, cuts);
  if (cuts.length === 0) return [target];
  const pieces: Buffer[] = [];
  let from = 0;
  for (const { at: cut, bytes } of cuts) {
    pieces.push(target.subarray(from, cut), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    from = cut;
  }
  if (from < size) pieces.push(target.subarray(from));
  return pieces;
}
