import { outputs } from './heads.ts';

/** Bits for each of the three numbers in a double. */
const bits = 18;
const second = 2 ** bits;
const third = second ** 2;
const doubles = 9;
/** Largest absolute sum of one output: three of them fill the 53 bits that a double represents exactly. */
export const mostSum = second / 2 - 1;

/**
 * Rows of one integer per output, three of them packed into a double: adding a row is nine additions in registers instead of 27 in memory,
 * which took half of a prompt's time. Exact as long as every output's sum stays within `mostSum`.
 */
export class Lanes {
  readonly #rows: Float64Array;

  constructor(rows: number) {
    if (outputs > 3 * doubles) throw new RangeError(`${outputs} outputs do not fit into ${doubles} doubles.`);
    this.#rows = new Float64Array(rows * doubles);
  }

  /** Sets a row to `values`, one per output. */
  put(row: number, values: Int32Array): void {
    for (let at = 0; at < doubles; at++)
      this.#rows[row * doubles + at] = (values[3 * at] ?? 0) + second * (values[3 * at + 1] ?? 0) + third * (values[3 * at + 2] ?? 0);
  }

  /** Adds the first `count` of the rows named in `places` to `sums`. */
  addTo(sums: Int32Array, places: Int32Array, count: number): void {
    const rows = this.#rows;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let e = 0;
    let f = 0;
    let g = 0;
    let h = 0;
    let j = 0;
    for (let i = 0; i < count; i++) {
      const base = places[i]! * doubles;
      a += rows[base]!;
      b += rows[base + 1]!;
      c += rows[base + 2]!;
      d += rows[base + 3]!;
      e += rows[base + 4]!;
      f += rows[base + 5]!;
      g += rows[base + 6]!;
      h += rows[base + 7]!;
      j += rows[base + 8]!;
    }
    // Through memory: each of them as an argument would be an object.
    packed[0] = a;
    packed[1] = b;
    packed[2] = c;
    packed[3] = d;
    packed[4] = e;
    packed[5] = f;
    packed[6] = g;
    packed[7] = h;
    packed[8] = j;
    unpack(sums);
  }
}

const packed = new Float64Array(doubles);

function unpack(sums: Int32Array): void {
  for (let lane = 0, at = 0; lane < doubles; lane++, at += 3) {
    const value = packed[lane]!;
    const high = Math.round(value / third);
    const rest = value - high * third;
    const middle = Math.round(rest / second);
    sums[at]! += rest - middle * second;
    sums[at + 1]! += middle;
    sums[at + 2]! += high;
  }
}
