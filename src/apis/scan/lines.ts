import { limits } from '../../lib/limits.ts';

const lf = 0x0a;

/**
 * Splits JSON lines (Cohere's streams of version 1, Ollama's) into their lines. Holds at most one unfinished line, up to `most` bytes; a
 * longer one is skipped whole and counted in `skipped`. A line may be a view of the chunk: it is valid only during the call.
 */
export class LineSplitter {
  readonly #onLine: (line: Buffer) => void;
  readonly #most: number;
  #pieces: Buffer[] = [];
  #held = 0;
  #overflow = false;
  skipped = 0;

  constructor(onLine: (line: Buffer) => void, most: number = limits.sseEventBytes) {
    this.#onLine = onLine;
    this.#most = most;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let at = chunk.indexOf(lf); at !== -1; at = chunk.indexOf(lf, start)) {
      this.#line(chunk.subarray(start, at));
      start = at + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  /** The last line may lack its end. */
  end(): void {
    this.#line(Buffer.alloc(0));
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

  #line(last: Buffer): void {
    if (this.#overflow) this.skipped++;
    else {
      const line = this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]);
      // Readers take JSON only, so that white space around it (CR) does no harm.
      if (line.length > 0) this.#onLine(line);
    }
    this.#pieces = [];
    this.#held = 0;
    this.#overflow = false;
  }
}
