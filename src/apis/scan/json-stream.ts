import { limits } from '../../lib/limits.ts';

/**
 * Splits a top-level JSON array (Gemini's stream without alt=sse) into its elements as they arrive. Elements that need more than `most`
 * bytes of buffer are skipped and counted.
 */
export class JsonArraySplitter {
  readonly #onElement: (element: Buffer) => void;
  readonly #most: number;
  #pieces: Buffer[] = [];
  #held = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #overflow = false;
  skipped = 0;
  /** True once the array's closing bracket was seen. */
  closed = false;

  constructor(onElement: (element: Buffer) => void, most: number = limits.sseEventBytes) {
    this.#most = most;
    this.#onElement = onElement;
  }

  push(chunk: Buffer): void {
    let start = this.#depth >= 2 ? 0 : -1;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === 0x5c) this.#escaped = true;
        else if (byte === 0x22) this.#inString = false;
      } else if (byte === 0x22) {
        this.#inString = true;
      } else if (byte === 0x7b || byte === 0x5b) {
        if (++this.#depth === 2) start = at;
      } else if (byte === 0x7d || byte === 0x5d) {
        this.#depth--;
        if (this.#depth === 1 && start !== -1) {
          this.#element(chunk.subarray(start, at + 1));
          start = -1;
        } else if (this.#depth === 0) {
          this.closed = true;
        }
      }
    }
    if (start !== -1) this.#hold(chunk.subarray(start));
  }

  #hold(piece: Buffer): void {
    if (this.#overflow) return;
    this.#held += piece.length;
    if (this.#held > this.#most) {
      this.#overflow = true;
      this.#pieces = [];
    } else {
      this.#pieces.push(Buffer.from(piece));
    }
  }

  #element(last: Buffer): void {
    if (this.#overflow) this.skipped++;
    else this.#onElement(this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]));
    this.#pieces = [];
    this.#held = 0;
    this.#overflow = false;
  }
}
