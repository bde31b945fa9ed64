import { counted } from '../lib/counted.ts';

interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A line that is written over at a terminal comes each second, elsewhere a line of its own now and then. */
const terminalMs = 1_000;
const elsewhereMs = 10_000;
/** Things that are counted before the clock is asked. */
const between = 256;

/** Says on stderr how far a command has come, once it takes more than a second. stdout stays the command's own. */
export class Progress {
  readonly #what: string;
  readonly #screen: Screen;
  readonly #now: () => number;
  #said: number;
  #count = 0;
  #shown = false;

  /** `what`: one of the things that are counted, `row`. */
  constructor(what: string, screen: Screen = process.stderr, now: () => number = Date.now) {
    this.#what = what;
    this.#screen = screen;
    this.#now = now;
    // The first line comes after a second everywhere.
    this.#said = now() + terminalMs - this.#every;
  }

  get #every(): number {
    return this.#screen.isTTY === true ? terminalMs : elsewhereMs;
  }

  /** One more is done. */
  readonly tick = (): void => {
    this.#count++;
    if (this.#count % between !== 0 || this.#now() - this.#said < this.#every) return;
    this.#said = this.#now();
    this.#shown = true;
    const text = `${counted(this.#count, this.#what)} …`;
    this.#screen.write(this.#screen.isTTY === true ? `\r\u001b[K${text}` : `${text}\n`);
  };

  /** Takes the line off the terminal. */
  done(): void {
    if (this.#shown && this.#screen.isTTY === true) this.#screen.write('\r\u001b[K');
  }
}

/** Says on stderr what is waited for, when it takes more than a second. */
export async function waiting<T>(text: string, work: Promise<T>, screen: Screen = process.stderr): Promise<T> {
  const timer = setTimeout(() => screen.write(`${text} …\n`), terminalMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
