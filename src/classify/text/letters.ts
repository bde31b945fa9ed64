/**
 * One spelling for letters that people type in several ways: marks on Latin letters are dropped (á is a, ł is l), so are the vowel signs
 * of Arabic and its forms of alef, ya and ta marbuta, the nukta of Hindi and the two dots of Russian ё. In haste most of them are left
 * out, and a word must be the same word with and without.
 */

/** What replaces a unit; 0: nothing does, it is dropped. */
const folded = new Map<number, number>();

const markFrom = 0x300;
const markTo = 0x36f;
for (let mark = markFrom; mark <= markTo; mark++) folded.set(mark, 0);
for (const [from, to] of [
  [0xc0, 0x24f],
  [0x1e00, 0x1eff],
] as const)
  for (let unit = from; unit <= to; unit++) {
    const base = String.fromCharCode(unit).normalize('NFD').charCodeAt(0);
    if (base !== unit) folded.set(unit, base);
  }
// Letters that Unicode does not take apart.
for (const [letter, base] of ['ıi', 'łl', 'øo', 'đd', 'ёе', 'أا', 'إا', 'آا', 'ٱا', 'ىي', 'یي', 'ئي', 'ةه', 'ؤو', 'کك', 'ँं'])
  folded.set(letter!.charCodeAt(0), base!.charCodeAt(0));
const arabicSigns = [0x640, 0x670, ...Array.from({ length: 8 }, (_, at) => 0x64b + at)];
const nukta = 0x93c;
for (const unit of [...arabicSigns, nukta]) folded.set(unit, 0);
// Hindi letters with a nukta in them: क़ to य़.
const withoutNukta = 'कखगजडढफय';
for (let at = 0; at < withoutNukta.length; at++) folded.set(0x958 + at, withoutNukta.charCodeAt(at));

/** The same as a table, for the blocks that have such letters. */
const tableFrom = 0xc0;
const tableTo = 0x960;
const same = 0xffff;
const table = new Uint16Array(tableTo - tableFrom).fill(same);
for (const [unit, base] of folded) if (unit < tableTo) table[unit - tableFrom] = base;

/** Folds the first `length` lower-case units in place. Returns how many are left. */
export function foldUnits(units: Uint16Array, length: number): number {
  let out = 0;
  for (let at = 0; at < length; at++) {
    const unit = units[at]!;
    let base = unit;
    if (unit >= tableFrom && unit < tableTo) {
      const found = table[unit - tableFrom]!;
      if (found !== same) base = found;
    } else if (unit >= 0x1e00 && unit <= 0x1eff) base = folded.get(unit) ?? unit;
    if (base !== 0) units[out++] = base;
  }
  return out;
}

/** The same of a text in lower case. */
export function foldLetters(text: string): string {
  const units = new Uint16Array(text.length);
  for (let at = 0; at < text.length; at++) units[at] = text.charCodeAt(at);
  return String.fromCharCode(...units.subarray(0, foldUnits(units, units.length)));
}
