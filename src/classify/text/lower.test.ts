import { expect, test } from 'vitest';
import { foldUnits } from './letters.ts';
import { lowerAscii, lowerUnits } from './lower.ts';

/** A text's units in lower case; null if they are left to others. */
function lowered(text: string): string | null {
  const pairs = new Int32Array((text.length + 1) >> 1);
  const units = new Uint16Array(pairs.buffer);
  for (let at = 0; at < text.length; at++) units[at] = text.charCodeAt(at);
  const length = lowerUnits(units, lowerAscii(pairs, text.length), text.length);
  return length === -1 ? null : Buffer.from(pairs.buffer, 0, 2 * length).toString('utf16le');
}

/** The same by the language's own rules. */
function expected(text: string): string {
  const lower = text.toLowerCase();
  const units = Uint16Array.from({ length: lower.length }, (_, at) => lower.charCodeAt(at));
  return Buffer.from(units.buffer, 0, 2 * foldUnits(units, lower.length)).toString('utf16le');
}

/** All characters but surrogates, the zero, which ends a text, and noncharacters, which are in none. */
const characters = Array.from({ length: 0x110000 }, (_, code) => code).filter(
  (code) => code !== 0 && (code < 0xd800 || code > 0xdfff) && (code < 0xfdd0 || code > 0xfdef),
);

test('every character is what the language makes of it, between others, or is left to it', () => {
  const left: number[] = [];
  let text = '';
  for (const code of characters) {
    const one = `a${String.fromCodePoint(code)}Zé`;
    if (code < 0x20000 && lowered(one) === null) left.push(code);
    else text += one;
  }
  expect(lowered(text) === expected(text)).toBe(true);
  expect(left.slice(0, 3)).toEqual([0x130, 0x3a3, 0x10400]);
  for (const code of left.slice(2)) expect(code).toBeGreaterThan(0xffff);
});

test.each(['', 'A', 'AZ', '[\\]^_`@{|}~', 'Hello WORLD 42', 'odd'])('%j in ASCII', (text) => {
  expect(lowered(text)).toBe(text.toLowerCase());
});

test('what is behind the text in memory changes nothing', () => {
  const units = Uint16Array.from([0x41, 0x42, 0x43, 0xc9]);
  expect(lowerUnits(units, lowerAscii(new Int32Array(units.buffer), 3), 3)).toBe(3);
  expect([...units.subarray(0, 3)]).toEqual([0x61, 0x62, 0x63]);
});
