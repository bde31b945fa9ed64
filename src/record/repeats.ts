import { limits } from '../lib/limits.ts';

interface Seen {
  since: number;
  written: number;
  held: number;
}

/** Holds back a message that comes again and again: what goes wrong for every request must not fill the disk. */
export class Repeats {
  readonly #seen = new Map<string, Seen>();

  /** How many of this message were held back since the last that was written; null: this one is held back, too. `now` in ms. */
  held(message: string, now: number): number | null {
    const seen = this.#seen.get(message);
    if (seen === undefined || now - seen.since >= limits.logRepeatMs) {
      const { held = 0 } = seen ?? {};
      if (seen === undefined && this.#seen.size >= limits.logMessages) this.#seen.clear();
      this.#seen.set(message, { since: now, written: 1, held: 0 });
      return held;
    }
    if (seen.written >= limits.logRepeats) {
      seen.held++;
      return null;
    }
    seen.written++;
    const { held } = seen;
    seen.held = 0;
    return held;
  }
}
