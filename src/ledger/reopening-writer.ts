import type { OpenedWriter, Writer } from './backend.ts';
import type { RestingChain } from './types.ts';

/** How a ledger was opened: with a new chain, with the one that was resting, or again, because its file was missing. */
export type Opening = 'new' | 'resumed' | 'remade';

export interface ReopeningOptions {
  /** `resume`: the chain to continue, until the ledger was open once. */
  readonly open: (resume: RestingChain | null) => Promise<OpenedWriter>;
  readonly resume: RestingChain | null;
  /** Called when the ledger can be written. */
  readonly onOpen: (how: Opening) => void;
}

/**
 * The writer of a ledger that may be unavailable for a while, or whose file may be removed while open. Failures reject, and the caller
 * retries.
 */
export class ReopeningWriter {
  readonly #options: ReopeningOptions;
  #opened: OpenedWriter | null = null;
  #resume: RestingChain | null;
  #wasOpen = false;

  constructor(options: ReopeningOptions) {
    this.#options = options;
    this.#resume = options.resume;
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
    const resume = this.#resume;
    this.#opened = await this.#options.open(resume);
    this.#resume = null;
    const { writer } = this.#opened;
    const remade = resume === null ? this.#wasOpen : writer.id !== resume.id;
    this.#wasOpen = true;
    this.#options.onOpen(remade ? 'remade' : resume === null ? 'new' : 'resumed');
    return writer;
  }

  get open(): boolean {
    return this.#opened !== null;
  }

  async end(): Promise<void> {
    await this.#opened?.end();
  }
}
