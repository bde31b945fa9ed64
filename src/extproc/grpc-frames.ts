/** gRPC's length-prefixed messages: a zero byte (not compressed), four bytes of length, the message. */
export const prefixBytes = 5;

/** A message with its prefix. */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.concat([Buffer.allocUnsafe(prefixBytes), message]);
  fillPrefix([framed]);
  return framed;
}

/** Writes a message's prefix into the bytes reserved for it at the start of the first piece. */
export function fillPrefix(pieces: readonly Buffer[]): void {
  let bytes = -prefixBytes;
  for (let at = 0; at < pieces.length; at++) bytes += pieces[at]!.length;
  pieces[0]![0] = 0;
  pieces[0]!.writeUInt32BE(bytes, 1);
}

/** Whether the bytes `from` to `to` are exactly one message of at most `max` bytes: most frames are. */
export function isMessage(bytes: Buffer, from: number, to: number, max: number): boolean {
  if (to - from < prefixBytes || bytes[from] !== 0) return false;
  const length = bytes.readUInt32BE(from + 1);
  return length === to - from - prefixBytes && length <= max;
}

const none: Buffer = Buffer.alloc(0);
const noPieces: Buffer[] = [];

/** Cuts a byte stream into messages, which have memory of their own. Holds at most one unfinished message. */
export class FrameReader {
  readonly #max: number;
  #pieces: Buffer[] = noPieces;
  #held = 0;
  /** Bytes needed before the next step: the prefix, then the prefix and its message. */
  #need = prefixBytes;
  /** A message that is being assembled, and how many bytes of it have arrived. */
  #large: Buffer | null = null;
  #filled = 0;
  /** The last piece is a view of what was pushed. */
  #borrowed = false;

  /** `max`: longest message in bytes. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Bytes of the unfinished message that arrived, prefix included. */
  get unfinished(): number {
    return this.#large === null ? this.#held : prefixBytes + this.#filled;
  }

  /** The whole length of the unfinished message, prefix included; as long as the prefix is unfinished too, the length of that. */
  get expected(): number {
    return this.#large === null ? this.#need : prefixBytes + this.#large.length;
  }

  /** Copies what it holds of the bytes that were pushed last, unless `assemble` did: their memory is used again. */
  own(): void {
    const last = this.#pieces.length - 1;
    if (this.#borrowed && last >= 0) this.#pieces[last] = Buffer.from(this.#pieces[last]!);
    this.#borrowed = false;
  }

  /**
   * The messages that `bytes` completes; null if the stream is not gRPC, is compressed, or exceeds the bound. Until `own`, the unfinished
   * one is a view of `bytes`.
   */
  push(bytes: Buffer): Buffer[] | null {
    if (this.unfinished === 0 && isMessage(bytes, 0, bytes.length, this.#max)) return [Buffer.from(bytes.subarray(prefixBytes))];
    const messages: Buffer[] = [];
    let rest = bytes;
    for (;;) {
      if (this.#large !== null) {
        const taken = rest.copy(this.#large, this.#filled);
        this.#filled += taken;
        if (this.#filled < this.#large.length) return messages;
        messages.push(this.#large);
        this.#large = null;
        rest = rest.subarray(taken);
      }
      if (rest.length > 0) {
        if (this.#pieces === noPieces) this.#pieces = [rest];
        else this.#pieces.push(rest);
        this.#borrowed = true;
        this.#held += rest.length;
        rest = none;
      }
      if (this.#held < this.#need) return messages;
      const all = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
      this.#pieces = [all];
      if (this.#need === prefixBytes) {
        const length = all.readUInt32BE(1);
        if (all[0] !== 0 || length > this.#max) return null;
        this.#need = prefixBytes + length;
        if (this.#held < this.#need) return messages;
      }
      messages.push(Buffer.from(all.subarray(prefixBytes, this.#need)));
      this.#clear(all.length === this.#need ? none : all.subarray(this.#need));
    }
  }

  /** The unfinished message has room in memory: from here on it is assembled in its final place. */
  assemble(): void {
    if (this.#large !== null) return;
    this.#large = Buffer.allocUnsafeSlow(this.#need - prefixBytes);
    let skipped = prefixBytes;
    this.#filled = 0;
    for (const piece of this.#pieces) {
      const from = Math.min(skipped, piece.length);
      skipped -= from;
      this.#filled += piece.copy(this.#large, this.#filled, from);
    }
    this.#clear(none);
  }

  /** Begins the next message with the remaining bytes. */
  #clear(rest: Buffer): void {
    this.#pieces = rest.length === 0 ? noPieces : [rest];
    this.#held = rest.length;
    this.#need = prefixBytes;
  }
}
