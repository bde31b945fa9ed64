import { foldUnits } from './letters.ts';

/**
 * Lower case with folded letters, unit by unit: `String.toLowerCase` asks ICU about every text that is not ASCII, which took more of a
 * prompt's time than everything else that is done with its characters.
 */

/** What a unit of the basic plane becomes is found once and kept here; noncharacters stand for what is no unit. */
const unknown = 0xfdd0;
const dropped = 0xfdd1;
/** Depends on the units around it. */
const dependent = 0xfdd2;
const results = new Uint16Array(0x10000).fill(unknown);

/** Greek sigma has another small form at the end of a word; İ becomes two units. */
const sigma = 0x3a3;
const dottedI = 0x130;
/** High surrogates of the scripts beyond the basic plane that have capital letters. */
const withCapitals: ReadonlySet<number> = new Set([0xd801, 0xd803, 0xd806, 0xd81b, 0xd83a]);

function resultOf(unit: number): number {
  if (unit === sigma || unit === dottedI || withCapitals.has(unit)) return dependent;
  if (unit >= unknown && unit <= dependent) return dropped;
  const one = Uint16Array.of(String.fromCharCode(unit).toLowerCase().charCodeAt(0));
  return foldUnits(one, 1) === 0 ? dropped : one[0]!;
}

/**
 * Puts `units` in lower case and folds their letters from `from` to `length`, in place. Returns how many are left; -1 if a letter depends on
 * those around it: the units are then half done.
 */
export function lowerUnits(units: Uint16Array, from: number, length: number): number {
  let out = from;
  for (let at = from; at < length; at++) {
    const unit = units[at]!;
    let result = results[unit]!;
    if (result === unknown) result = results[unit] = resultOf(unit);
    if (result === dependent) return -1;
    if (result !== dropped) units[out++] = result;
  }
  return out;
}

/**
 * Puts ASCII letters in lower case. `pairs`: two units a number. Returns how many of `length` units are done: it stops at a pair that is
 * not ASCII.
 */
export function lowerAscii(pairs: Int32Array, length: number): number {
  const count = (length + 1) >> 1;
  for (let at = 0; at < count; at++) {
    const pair = pairs[at]!;
    if ((pair & 0xff80ff80) !== 0) return Math.min(length, 2 * at);
    // The bit 0x80 is set in the first sum from A on, in the second after Z.
    pairs[at] = pair | (((pair + 0x3f003f) & ~(pair + 0x250025) & 0x800080) >> 2);
  }
  return length;
}
