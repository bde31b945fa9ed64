/** Counters a row, a power of two; four rows of bytes. */
const width = 1 << 14;
const rows = 4;
const highest = 15;
/** After so many counts all are halved: what was asked for long ago fades. */
const countsToHalve = width * 10;

/**
 * How often keys were asked for lately, about: a count-min sketch that ages, as TinyLFU has it (Einziger, Friedman, Manes: TinyLFU: A
 * Highly Efficient Cache Admission Policy, 2017). Keys are hashes in hex, of at least 32 digits; 64 KiB for any number of them.
 */
export class Frequency {
  readonly #counters = new Uint8Array(width * rows);
  #counts = 0;

  add(key: string): void {
    for (let row = 0; row < rows; row++) {
      const at = place(key, row);
      if (this.#counters[at]! < highest) this.#counters[at]!++;
    }
    if (++this.#counts >= countsToHalve) this.#halve();
  }

  /** 0 … 15; never less than it was, but for ageing. */
  of(key: string): number {
    let least = highest;
    for (let row = 0; row < rows; row++) least = Math.min(least, this.#counters[place(key, row)]!);
    return least;
  }

  #halve(): void {
    for (let at = 0; at < this.#counters.length; at++) this.#counters[at]! >>= 1;
    this.#counts = 0;
  }
}

/** Each row takes other digits of the key, which is a hash already. */
function place(key: string, row: number): number {
  return row * width + (Number.parseInt(key.slice(row * 8, row * 8 + 8), 16) & (width - 1));
}
