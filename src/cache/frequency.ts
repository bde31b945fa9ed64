/** Counters per row, a power of two; four rows of bytes. */
const width = 1 << 14;
const rows = 4;
const highest = 15;
/** After this many counts all are halved, so that old requests fade. */
const countsToHalve = width * 10;

/**
 * Approximately how often keys were requested recently: a count-min sketch with ageing, as in TinyLFU (Einziger, Friedman, Manes: TinyLFU:
 * A Highly Efficient Cache Admission Policy, 2017). Keys are hex hashes of at least 32 digits; uses 64 KiB for any number of them.
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

  /** 0 … 15; never underestimates, except for ageing and the upper limit. */
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

/** Each row uses different digits of the key, which is already a hash. */
function place(key: string, row: number): number {
  return row * width + (Number.parseInt(key.slice(row * 8, row * 8 + 8), 16) & (width - 1));
}
