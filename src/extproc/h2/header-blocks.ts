import { limits } from '../../lib/limits.ts';
import { checkDependency } from './control-frames.ts';
import { ConnectionError, errorCode, flag, frameHeaderBytes, frameType, unpadded } from './frames.ts';
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

  /** A HEADERS frame. Null: its block goes on. Throws ConnectionError and CompressionError. */
  start(id: number, flags: number, payload: Buffer): HeaderBlock | null {
    if (id % 2 === 0) throw new ConnectionError(errorCode.protocol, 'a client’s stream has an odd number');
    let block = unpadded(payload, flags);
    if ((flags & flag.priority) !== 0) {
      if (block.length < 5) throw new ConnectionError(errorCode.frameSize, 'priority cut short');
      checkDependency(id, block);
      block = block.subarray(5);
    }
    const ends = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) !== 0) return this.#decoded(id, ends, block);
    this.#open = { id, ends, pieces: [Buffer.from(block)], bytes: block.length };
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
    return this.#decoded(block.id, block.ends, Buffer.concat(block.pieces));
  }

  #decoded(id: number, ends: boolean, block: Buffer): HeaderBlock {
    // Always decoded, also for refused streams: the tables of both sides must stay in sync.
    const headers = this.#decoder.decode(block);
    return { id, ends, headers, invalidName: this.#decoder.invalidName };
  }
}
