import { limits } from '../lib/limits.ts';

interface Seen {
  since: number;
  written: number;
  held: number;
}

/** Suppresses repeated messages: an error that occurs on every request must not fill the disk. */
export class Repeats {
  readonly #seen = new Map<string, Seen>();

  /** Number of suppressed messages like this since the last one written; null if this one is suppressed too. `now` in ms. */
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
