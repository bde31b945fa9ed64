import { counted } from '../lib/counted.ts';

interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** On a terminal the line is overwritten each second; elsewhere a new line is written less often. */
const terminalMs = 1_000;
const elsewhereMs = 10_000;
/** Items counted between two reads of the clock. */
const between = 256;

/** Shows a command's progress on stderr once it takes more than a second. stdout is left to the command. */
export class Progress {
  readonly #what: string;
  readonly #screen: Screen;
  readonly #now: () => number;
  #said: number;
  #count = 0;
  #shown = false;

  /** `what`: the singular name of the counted items, `row`. */
  constructor(what: string, screen: Screen = process.stderr, now: () => number = Date.now) {
    this.#what = what;
    this.#screen = screen;
    this.#now = now;
    // The first line appears after a second everywhere.
    this.#said = now() + terminalMs - this.#every;
  }

  get #every(): number {
    return this.#screen.isTTY === true ? terminalMs : elsewhereMs;
  }

  /** Counts one more item. */
  readonly tick = (): void => {
    this.#count++;
    if (this.#count % between !== 0 || this.#now() - this.#said < this.#every) return;
    this.#said = this.#now();
    this.#shown = true;
    const text = `${counted(this.#count, this.#what)} …`;
    this.#screen.write(this.#screen.isTTY === true ? `\r\u001b[K${text}` : `${text}\n`);
  };

  /** Removes the line from the terminal. */
  done(): void {
    if (this.#shown && this.#screen.isTTY === true) this.#screen.write('\r\u001b[K');
  }
}

/** Shows on stderr what the command waits for, if it takes more than a second. */
export async function waiting<T>(text: string, work: Promise<T>, screen: Screen = process.stderr): Promise<T> {
  const timer = setTimeout(() => screen.write(`${text} …\n`), terminalMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
