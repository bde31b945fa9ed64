import { ConnectionError, errorCode, flag, frameHeaderBytes, frameType, maxFramePayload, preface } from './frames.ts';

/** The receiver of a connection's frames. */
export interface FrameSink {
  /** One whole frame: the bytes `from` to `to`. */
  consume(bytes: Buffer, from: number, to: number): void;
  /** Whether a DATA frame may be passed on in parts now. */
  takesParts(): boolean;
  /** A part of a DATA frame, the bytes `from` to `to`; `flags` hold for the last part only. */
  data(id: number, flags: number, bytes: Buffer, from: number, to: number): void;
  /** Whether no more frames are wanted. */
  readonly closed: boolean;
}

const nothing: Buffer = Buffer.alloc(0);

/** Cuts a connection's bytes into frames. Holds at most one incomplete frame, in memory of its own. */
export class FrameCutter {
  readonly #sink: FrameSink;
  /** Bytes of an incomplete frame (or preface). */
  #held: Buffer = nothing;
  /** A DATA frame whose first part was already passed on. */
  #rest: { readonly id: number; readonly flags: number; left: number } | null = null;
  #sawPreface = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Passes on what the first `end` bytes of `chunk` complete; they are not needed afterwards. Throws ConnectionError. */
  push(chunk: Buffer, end: number = chunk.length): void {
    let at = this.#goOn(chunk, end);
    // Only a frame that came in parts is assembled; all others are read in place.
    while (this.#held.length > 0) {
      const missing = this.#length(this.#held, 0, this.#held.length) - this.#held.length;
      if (missing <= 0) {
        const frame = this.#held;
        this.#held = nothing;
        this.#pass(frame, 0, frame.length);
        continue;
      }
      if (at === end) return;
      const part = chunk.subarray(at, Math.min(end, at + missing));
      this.#held = Buffer.concat([this.#held, part]);
      at += part.length;
    }
    while (at < end && !this.#sink.closed) {
      const length = this.#length(chunk, at, end);
      if (end - at < length) {
        if (!this.#begin(chunk, at, end, length)) this.#held = Buffer.from(chunk.subarray(at, end));
        return;
      }
      this.#pass(chunk, at, at + length);
      at += length;
    }
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    if (!this.#sawPreface) {
      if (!bytes.subarray(from, to).equals(preface)) throw new ConnectionError(errorCode.protocol, 'no HTTP/2 preface');
      this.#sawPreface = true;
      return;
    }
    this.#sink.consume(bytes, from, to);
  }

  /** Passes on the first part of an incomplete DATA frame; false if it is not a DATA frame, or not a valid one. */
  #begin(chunk: Buffer, at: number, end: number, length: number): boolean {
    const payload = at + frameHeaderBytes;
    if (!this.#sink.takesParts() || end <= payload || chunk[at + 3] !== frameType.data) return false;
    const flags = chunk[at + 4]!;
    if ((flags & flag.padded) !== 0) return false;
    const id = chunk.readUInt32BE(at + 5) & 0x7fff_ffff;
    this.#sink.data(id, 0, chunk, payload, end);
    this.#rest = { id, flags, left: length - (end - at) };
    return true;
  }

  /** Passes on more of such a frame. Returns where the next frame begins. */
  #goOn(chunk: Buffer, end: number): number {
    const rest = this.#rest;
    if (rest === null) return 0;
    const taken = Math.min(rest.left, end);
    rest.left -= taken;
    if (rest.left === 0) this.#rest = null;
    this.#sink.data(rest.id, rest.left === 0 ? rest.flags : 0, chunk, 0, taken);
    return taken;
  }

  /** The length of the frame or preface at `at`, as far as it is known from the available bytes. */
  #length(bytes: Buffer, at: number, end: number): number {
    if (!this.#sawPreface) return preface.length;
    if (end - at < frameHeaderBytes) return frameHeaderBytes;
    const payload = bytes.readUIntBE(at, 3);
    if (payload > maxFramePayload) throw new ConnectionError(errorCode.frameSize, 'frame too large');
    return frameHeaderBytes + payload;
  }
}
