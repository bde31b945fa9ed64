/** gRPC's length-prefixed messages: a zero byte (not compressed), four bytes of length, the message. */
export const prefixBytes = 5;

/** A message with its prefix. */
export function frame(message: Buffer): Buffer {
  return fillPrefix(Buffer.concat([Buffer.allocUnsafe(prefixBytes), message]));
}

/** Writes the prefix of a message into the bytes that were left free before it. */
export function fillPrefix(framed: Buffer): Buffer {
  framed[0] = 0;
  framed.writeUInt32BE(framed.length - prefixBytes, 1);
  return framed;
}

const none: Buffer = Buffer.alloc(0);

/** Cuts a byte stream into messages. Holds at most one unfinished message. */
export class FrameReader {
  readonly #max: number;
  #pieces: Buffer[] = [];
  #held = 0;
  /** Bytes needed before the next step: the prefix, then the prefix and its message. */
  #need = prefixBytes;

  /** `max`: longest message in bytes. */
  constructor(max: number) {
    this.#max = max;
  }

  /** The messages that `bytes` completes; null when the stream is no gRPC, is compressed, or exceeds the bound. */
  push(bytes: Buffer): Buffer[] | null {
    const messages: Buffer[] = [];
    this.#pieces.push(bytes);
    this.#held += bytes.length;
    while (this.#held >= this.#need) {
      const all = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
      this.#pieces = [all];
      if (this.#need === prefixBytes) {
        const length = all.readUInt32BE(1);
        if (all[0] !== 0 || length > this.#max) return null;
        this.#need = prefixBytes + length;
        if (this.#held < this.#need) break;
      }
      messages.push(all.subarray(prefixBytes, this.#need));
      const rest = all.length === this.#need ? none : all.subarray(this.#need);
      this.#pieces = rest.length === 0 ? [] : [rest];
      this.#held = rest.length;
      this.#need = prefixBytes;
    }
    return messages;
  }
}
