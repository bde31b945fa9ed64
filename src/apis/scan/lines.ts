import { limits } from '../../lib/limits.ts';
import { HeldPieces } from './held-pieces.ts';

const lf = 0x0a;

/**
 * Splits JSON lines (Cohere's streams of version 1, Ollama's) into their lines. Holds at most one unfinished line, up to `most` bytes; a
 * longer one is skipped whole and counted in `skipped`. A line may be a view of the chunk: it is valid only during the call.
 */
export class LineSplitter {
  readonly #onLine: (line: Buffer) => void;
  readonly #pieces: HeldPieces;

  constructor(onLine: (line: Buffer) => void, most: number = limits.sseEventBytes) {
    this.#onLine = onLine;
    this.#pieces = new HeldPieces(most);
  }

  /** Lines that were too long. */
  get skipped(): number {
    return this.#pieces.skipped;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let at = chunk.indexOf(lf); at !== -1; at = chunk.indexOf(lf, start)) {
      this.#line(chunk.subarray(start, at));
      start = at + 1;
    }
    if (start < chunk.length) this.#pieces.hold(chunk.subarray(start));
  }

  /** The last line may lack its end. */
  end(): void {
    this.#line(Buffer.alloc(0));
  }

  #line(last: Buffer): void {
    const line = this.#pieces.take(last);
    // Readers take JSON only, so that white space around it (CR) does no harm.
    if (line !== null && line.length > 0) this.#onLine(line);
  }
}
