import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hashNext, hashStart, WordTable } from './word-table.ts';

function placeOf(table: WordTable, word: string): number {
  // The word stands between others, as it does in a text.
  const units = Uint16Array.from(`x${word}yz`.split(''), (unit) => unit.charCodeAt(0));
  let hash = hashStart;
  for (let at = 0; at < word.length; at++) hash = hashNext(hash, word.charCodeAt(at));
  return table.slotOf(units, 1, 1 + word.length, hash);
}

const words = fc.array(fc.oneof(fc.stringMatching(/^[a-z]{1,3}$/), fc.string({ minLength: 1, maxLength: 40, unit: 'binary' })), {
  maxLength: 200,
});

it('gives back every word as it is, and a version that tells words in one slot apart', () => {
  const table = new WordTable();
  const seen = new Map<string, string>();
  fc.assert(
    fc.property(words, (list) => {
      for (const word of list) {
        const slot = placeOf(table, word);
        expect(slot === -1).toBe(word.length > 26);
        if (slot === -1) continue;
        expect(table.at(slot)).toBe(word);
        const key = `${slot} ${table.versionOf(slot)}`;
        expect(seen.get(key) ?? word).toBe(word);
        seen.set(key, word);
      }
    }),
  );
});

it('keeps a word that comes again while others that fall on its place come and go', () => {
  const table = new WordTable();
  const slot = placeOf(table, 'often');
  const rivals: string[] = [];
  // A word's pair of slots depends on its letters alone.
  const others = new WordTable();
  for (let number = 0; rivals.length < 3; number++) {
    const word = `w${number.toString(36).replace(/\d/g, '_')}${'q'.repeat(number % 7)}`;
    if (placeOf(others, word) >> 1 === slot >> 1 && word !== 'often') rivals.push(word);
  }
  const version = table.versionOf(slot);
  for (const rival of rivals) {
    expect(placeOf(table, rival)).not.toBe(slot);
    expect(placeOf(table, 'often')).toBe(slot);
  }
  expect(table.versionOf(slot)).toBe(version);
});
