import { closeSync, mkdirSync, openSync, write } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Delay before a failed write is retried, in ms. */
const retryMs = 100;

/** Longest time that process exit waits for the log, in ms. */
const lastMs = 500;

/** Interval of the checks for waiting lines, in ms. */
const lookMs = 2;

/** Bytes per write. */
const pieceBytes = 512 * 1024;

/** Lines lost since the start. */
export interface LogCounts {
  readonly dropped: number;
}

/**
 * Appends lines to a file or to stdout, one write at a time, without blocking. Lines that cannot be written (full disk, slow reader, closed
 * pipe) wait up to a bound in bytes; beyond it lines are dropped and counted.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #maxBytes: number;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #writing = false;
  #retry: NodeJS.Timeout | null = null;
  #dropped = 0;
  /** The reader has closed the pipe. */
  #gone = false;

  /** `path`: a file, whose folder is created, or `-` for stdout. Throws the errors of opening it. */
  constructor(path: string, maxBytes: number) {
    this.#maxBytes = maxBytes;
    if (path !== '-') mkdirSync(dirname(path), { recursive: true });
    this.#fd = path === '-' ? 1 : openSync(path, 'a', 0o640);
  }

  get counts(): LogCounts {
    return { dropped: this.#dropped };
  }

  /** `lines`: one or more, each ending with a newline. */
  write(lines: string | Buffer): void {
    const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines;
    if (this.#gone || this.#bytes + bytes.length > this.#maxBytes) {
      this.#drop(bytes);
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (!this.#writing && this.#retry === null) this.#next();
  }

  /** Resolves when all waiting lines are written, or after half a second at the latest. */
  async flush(): Promise<void> {
    const until = performance.now() + lastMs;
    while (this.#waiting.length > 0 && !this.#gone && performance.now() < until) await sleep(lookMs);
  }

  /** Writes waiting lines like `flush`, and closes the file. */
  async close(): Promise<void> {
    await this.flush();
    if (this.#gone || this.#writing) return;
    this.#gone = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#fd !== 1) closeSync(this.#fd);
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#gone) return;
    if (this.#waiting.length > 1 && this.#waiting[0]!.length < pieceBytes) this.#gather();
    this.#writing = true;
    write(this.#fd, this.#waiting[0]!, (error, bytes) => {
      this.#writing = false;
      if (error === null) {
        this.#wrote(bytes);
        this.#next();
        return;
      }
      if (error.code === 'EPIPE' || error.code === 'EBADF') {
        this.#gone = true;
        for (const waiting of this.#waiting) this.#drop(waiting);
        this.#waiting = [];
        this.#bytes = 0;
        return;
      }
      this.#retry = setTimeout(() => {
        this.#retry = null;
        this.#next();
      }, retryMs);
      this.#retry.unref();
    });
  }

  #gather(): void {
    let count = 0;
    let size = 0;
    while (count < this.#waiting.length && size < pieceBytes) size += this.#waiting[count++]!.length;
    this.#waiting.splice(0, count, Buffer.concat(this.#waiting.slice(0, count), size));
  }

  #wrote(bytes: number): void {
    const first = this.#waiting[0]!;
    this.#bytes -= bytes;
    if (bytes >= first.length) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(bytes);
  }

  #drop(bytes: Buffer): void {
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) this.#dropped++;
  }
}
