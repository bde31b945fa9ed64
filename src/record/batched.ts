import type { DestinationStream } from 'pino';

/** Lines are handed on at this many UTF-16 units, or after this long, in ms. */
const batchUnits = 64 * 1024;
const batchMs = 100;

/** Gathers lines in front of a destination: a write to a file takes a thread of its own and comes back to the event loop, and few large ones do for many lines. */
export class BatchedLines implements DestinationStream {
  readonly #destination: DestinationStream;
  #lines = '';
  #timer: NodeJS.Timeout | null = null;

  constructor(destination: DestinationStream) {
    this.#destination = destination;
  }

  write(line: string): void {
    this.#lines += line;
    if (this.#lines.length >= batchUnits) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), batchMs).unref();
  }

  /** Hands on what is there. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const lines = this.#lines;
    this.#lines = '';
    if (lines !== '') this.#destination.write(lines);
  }
}
