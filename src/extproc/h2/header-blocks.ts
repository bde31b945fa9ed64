import { limits } from '../../lib/limits.ts';
import { checkDependency } from './control-frames.ts';
import { ConnectionError, errorCode, flag, frameHeaderBytes, frameType, paddingOf } from './frames.ts';
import { HeaderDecoder, type Header } from './hpack.ts';

/** A header block that has come whole. */
export interface HeaderBlock {
  readonly id: number;
  /** It ends the peer's half of the stream. */
  readonly ends: boolean;
  readonly headers: readonly Header[];
  readonly invalidName: boolean;
}

/** Puts the header blocks of a connection together from HEADERS and CONTINUATION, and decodes them. */
export class HeaderBlocks {
  readonly #decoder = new HeaderDecoder(limits.http2HeaderListBytes);
  /** A block that waits for its CONTINUATION: no other frame may come first. */
  #open: { readonly id: number; readonly ends: boolean; readonly pieces: Buffer[]; bytes: number } | null = null;

  /** Whether a block waits for its CONTINUATION. */
  get waiting(): boolean {
    return this.#open !== null;
  }

  /** Throws ConnectionError if this frame may not come now. */
  checkOrder(type: number, id: number): void {
    if (this.#open !== null && (type !== frameType.continuation || id !== this.#open.id))
      throw new ConnectionError(errorCode.protocol, 'a header block was interrupted');
  }

  /** A HEADERS frame with the bytes `from` to `to`. Null: its block goes on. Throws ConnectionError and CompressionError. */
  start(id: number, flags: number, bytes: Buffer, from: number, to: number): HeaderBlock | null {
    if (id % 2 === 0) throw new ConnectionError(errorCode.protocol, 'a client’s stream has an odd number');
    let begin = from;
    let end = to;
    if ((flags & flag.padded) !== 0) {
      end -= paddingOf(bytes, from, to);
      begin++;
    }
    if ((flags & flag.priority) !== 0) {
      if (end - begin < 5) throw new ConnectionError(errorCode.frameSize, 'priority cut short');
      checkDependency(id, bytes.readUInt32BE(begin));
      begin += 5;
    }
    const ends = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) !== 0) return this.#decoded(id, ends, bytes, begin, end);
    this.#open = { id, ends, pieces: [Buffer.from(bytes.subarray(begin, end))], bytes: end - begin };
    return null;
  }

  /** A CONTINUATION frame. Null: the block goes on. Throws ConnectionError and CompressionError. */
  goOn(flags: number, payload: Buffer): HeaderBlock | null {
    const block = this.#open;
    if (block === null) throw new ConnectionError(errorCode.protocol, 'CONTINUATION of nothing');
    block.pieces.push(Buffer.from(payload));
    // The frame header counts too, so that empty frames also reach the limit.
    block.bytes += payload.length + frameHeaderBytes;
    if (block.bytes > limits.http2HeaderListBytes) throw new ConnectionError(errorCode.calm, 'header block too large');
    if ((flags & flag.endHeaders) === 0) return null;
    this.#open = null;
    const whole = Buffer.concat(block.pieces);
    return this.#decoded(block.id, block.ends, whole, 0, whole.length);
  }

  #decoded(id: number, ends: boolean, bytes: Buffer, from: number, to: number): HeaderBlock {
    // Always decoded, also for refused streams: the tables of both sides must stay in sync.
    const headers = this.#decoder.decode(bytes, from, to);
    return { id, ends, headers, invalidName: this.#decoder.invalidName };
  }
}
