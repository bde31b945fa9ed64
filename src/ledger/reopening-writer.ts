import type { KeyObject } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import type { Retention } from './store.ts';
import type { Checkpoint } from './types.ts';

/** A writer of a file answers at once, one of a database later. */
export interface Writer {
  readonly id: string;
  readonly seq: number;
  append(lines: readonly string[], dropped: number): void | Promise<void>;
  checkpoint(key: KeyObject | null): Checkpoint | Promise<Checkpoint>;
  prune(retention: Retention): number | Promise<number>;
  close(): void | Promise<void>;
}

/** A writer, and what ends its connection. */
export interface OpenedWriter {
  readonly writer: Writer;
  readonly end: () => void | Promise<void>;
}

export interface ReopeningOptions {
  readonly open: () => Promise<OpenedWriter>;
  /** The ledger's file, looked at before each write; null: it is a database. */
  readonly file: string | null;
  /** The ledger can be written again: `remade` when its file was gone and a new one was made. */
  readonly onOpen: (remade: boolean) => void;
}

/** The writer of a ledger that may be away for a while, or whose file may be removed under it. What fails rejects, and is tried again by the caller. */
export class ReopeningWriter {
  readonly #options: ReopeningOptions;
  #opened: OpenedWriter | null = null;
  #file = '';
  #wasOpen = false;

  constructor(options: ReopeningOptions) {
    this.#options = options;
  }

  get seq(): number {
    return this.#opened?.writer.seq ?? 0;
  }

  /** The writer, opened where it is not, or where its file is no longer the one that it writes to. */
  async reach(): Promise<Writer> {
    const { file } = this.#options;
    if (this.#opened !== null && file !== null && identityOf(file) !== this.#file) {
      const { end } = this.#opened;
      this.#opened = null;
      await end();
      // A new file must not meet the log and the index of the old one, which are found by name.
      if (identityOf(file) === '') for (const rest of ['-wal', '-shm']) rmSync(`${file}${rest}`, { force: true });
    }
    if (this.#opened !== null) return this.#opened.writer;
    this.#opened = await this.#options.open();
    if (file !== null) this.#file = identityOf(file);
    this.#options.onOpen(this.#wasOpen);
    this.#wasOpen = true;
    return this.#opened.writer;
  }

  get open(): boolean {
    return this.#opened !== null;
  }

  async end(): Promise<void> {
    await this.#opened?.end();
  }
}

/** Device and number of a file; empty: there is none. */
function identityOf(file: string): string {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return '';
  }
}

/** Node's and PostgreSQL's words for a server that cannot be reached now, and may be later. */
const away: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'EAI_AGAIN',
  'ENOTFOUND',
  '57P01',
  '57P02',
  '57P03',
  '53300',
]);

/** Whether a database could not be reached, as opposed to one that refused: a wrong password or foreign tables will not get better. */
export function isAway(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? (error.cause ?? error) : null;
  if (!(cause instanceof Error)) return false;
  const { code } = cause as NodeJS.ErrnoException;
  // The client gives no code where its own patience ends, or the server hangs up.
  return code === undefined ? /timeout|terminated/i.test(cause.message) : away.has(code);
}
