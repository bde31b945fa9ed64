import type { DestinationStream } from 'pino';
import { ByteLines } from '../lib/byte-lines.ts';

/** Lines are handed on at this many bytes, or after this long, in ms. */
const batchBytes = 64 * 1024;
const batchMs = 100;

/** Gathers lines in front of a destination: a write to a file takes a thread of its own and comes back to the event loop, and few large ones do for many lines. */
export class BatchedLines implements DestinationStream {
  readonly #destination: { write(lines: Buffer): void };
  readonly #lines = new ByteLines(2 * batchBytes);
  #timer: NodeJS.Timeout | null = null;

  constructor(destination: { write(lines: Buffer): void }) {
    this.#destination = destination;
  }

  write(line: string): void {
    this.writeParts(line, '', '');
  }

  /** A line in three parts, which are not put together before they are bytes. */
  writeParts(begin: string, middle: string, end: string): void {
    this.#lines.add(begin);
    this.#lines.add(middle);
    this.#lines.add(end);
    if (this.#lines.length >= batchBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), batchMs).unref();
  }

  /** Hands on what is there. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#lines.length > 0) this.#destination.write(this.#lines.take());
  }
}
