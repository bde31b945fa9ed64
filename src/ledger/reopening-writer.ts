import type { OpenedWriter, Writer } from './backend.ts';

export interface ReopeningOptions {
  readonly open: () => Promise<OpenedWriter>;
  /** The ledger can be written again: `remade` when its file was gone and a new one was made. */
  readonly onOpen: (remade: boolean) => void;
}

/** The writer of a ledger that may be away for a while, or whose file may be removed under it. What fails rejects, and is tried again by the caller. */
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

  /** The writer, opened where it is not, or where its file is no longer the one that it writes to. */
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
