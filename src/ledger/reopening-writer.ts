import type { OpenedWriter, Writer } from './backend.ts';

export interface ReopeningOptions {
  readonly open: () => Promise<OpenedWriter>;
  /** Called when the ledger can be written again; `remade` is true if its file was missing and was created again. */
  readonly onOpen: (remade: boolean) => void;
}

/**
 * The writer of a ledger that may be unavailable for a while, or whose file may be removed while open. Failures reject, and the caller
 * retries.
 */
export class ReopeningWriter {
  readonly #options: ReopeningOptions;
  #opened: OpenedWriter | null = null;
  #wasOpen = false;

  constructor(options: ReopeningOptions) {
    this.#options = options;
  }

  get seq(): number {
    return this.#opened?.writer.seq ?? 0;
  }

  /** The writer, opened if it is not open, or if its file was replaced. */
  async reach(): Promise<Writer> {
    if (this.#opened?.gone?.() === true) {
      const { end } = this.#opened;
      this.#opened = null;
      await end();
    }
    if (this.#opened !== null) return this.#opened.writer;
    this.#opened = await this.#options.open();
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
