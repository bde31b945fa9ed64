import type { DestinationStream } from 'pino';
import { ByteLines } from '../lib/byte-lines.ts';
import type { JsonBytes } from '../lib/json-bytes.ts';

/** Lines are written at this many bytes, or after this long, in ms. */
const batchBytes = 64 * 1024;
const batchMs = 100;

/**
 * Batches lines before a destination: each file write uses a thread and returns to the event loop, so a few large writes are cheaper than
 * many small ones.
 */
export class BatchedLines implements DestinationStream {
  readonly #destination: { write(lines: Buffer): void };
  readonly #lines = new ByteLines(2 * batchBytes);
  #timer: NodeJS.Timeout | null = null;

  constructor(destination: { write(lines: Buffer): void }) {
    this.#destination = destination;
  }

  write(line: string): void {
    this.#lines.add(line);
    this.#added();
  }

  /** Writes a line in parts, which are only joined as bytes. */
  writeParts(...parts: readonly (string | JsonBytes)[]): void {
    for (let at = 0; at < parts.length; at++) {
      const part = parts[at]!;
      if (typeof part === 'string') this.#lines.add(part);
      else this.#lines.addJson(part);
    }
    this.#added();
  }

  #added(): void {
    if (this.#lines.length >= batchBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), batchMs).unref();
  }

  /** Writes the current batch. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#lines.length > 0) this.#destination.write(this.#lines.take());
  }
}
