import { limits } from '../../lib/limits.ts';
import { HeldPieces } from './held-pieces.ts';

/**
 * Splits a top-level JSON array (Gemini's stream without alt=sse) into its elements as they arrive. Elements that need more than `most`
 * bytes of buffer are skipped and counted.
 */
export class JsonArraySplitter {
  readonly #onElement: (element: Buffer) => void;
  readonly #pieces: HeldPieces;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** True once the array's closing bracket was seen. */
  closed = false;

  constructor(onElement: (element: Buffer) => void, most: number = limits.sseEventBytes) {
    this.#pieces = new HeldPieces(most);
    this.#onElement = onElement;
  }

  /** Elements that were too long. */
  get skipped(): number {
    return this.#pieces.skipped;
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
    if (start !== -1) this.#pieces.hold(chunk.subarray(start));
  }

  #element(last: Buffer): void {
    const element = this.#pieces.take(last);
    if (element !== null) this.#onElement(element);
  }
}
