import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Lexicon, tokensOf } from './lexicon.ts';
import { wordConcepts } from './words.ts';

const folder = new URL('../../data/concepts/', import.meta.url);
const entries = [
  ...wordConcepts.flatMap(({ words }) => words),
  ...readdirSync(folder)
    .filter((file) => file.endsWith('.tsv'))
    .flatMap((file) =>
      readFileSync(new URL(file, folder), 'utf8')
        .split('\n')
        .flatMap((line) => (line.split('\t')[2] ?? '').split(','))
        .map((entry) => entry.trim()),
    ),
].map((entry) => entry.replace(/\*$/, ''));

it('splits every entry that ships at the same places as a regular expression of Unicode letters, marks and digits', () => {
  expect(entries.length).toBeGreaterThan(50_000);
  for (const entry of entries) expect(tokensOf(entry)).toEqual(entry.match(/[\p{L}\p{M}\p{N}_]+/gu) ?? []);
});

it('counts a word for each of its concepts, alone and as the beginning of phrases, in whatever order they were entered', () => {
  const of = (name: string, words: readonly string[]) => ({ name, words, unspaced: [] });
  const concepts = [of('a', ['sum']), of('b', ['sum of', 'sum']), of('c', ['sum of squares', 'squar*']), of('d', ['other'])];
  const expected = (order: readonly string[], text: string): Record<string, number> => {
    const lexicon = new Lexicon(order.map((name) => concepts.find((concept) => concept.name === name)!));
    const hits = new Uint8Array(lexicon.names.length);
    lexicon.countTokens(tokensOf(text), hits);
    return Object.fromEntries(lexicon.names.map((name, at) => [name, hits[at]!]));
  };
  for (const order of ['a b c d', 'd c b a', 'c a b d', 'b d c a'].map((text) => text.split(' '))) {
    expect(expected(order, 'the sum of squares')).toEqual({ a: 1, b: 2, c: 2, d: 0 });
    expect(expected(order, 'sum, sum of squaring')).toEqual({ a: 2, b: 3, c: 1, d: 0 });
    expect(expected(order, 'another one')).toEqual({ a: 0, b: 0, c: 0, d: 0 });
  }
});

it('counts for a token that it knows what it counts for it otherwise', () => {
  const lexicon = new Lexicon([
    { name: 'a', words: ['one two', 'thr*', 'one'], unspaced: [] },
    { name: 'b', words: ['one two three', 'on*', 'one tw*', 'threes', 'fo*'], unspaced: [] },
  ]);
  const tokens = 'one two threes thr on fo four one twelve five one two three'.split(' ');
  expect(tokens.filter((token) => lexicon.known(token) === null)).toEqual(['two', 'twelve', 'five', 'two']);
  for (let count = 0; count <= tokens.length; count++)
    for (let at = 0; at < count; at++) {
      const hits = new Uint8Array(2);
      const again = new Uint8Array(2);
      lexicon.countToken(tokens, at, hits, count);
      const known = lexicon.known(tokens[at]!);
      if (known !== null) lexicon.countKnown(known, tokens, at, again, count);
      expect([tokens[at], ...again]).toEqual([tokens[at], ...hits]);
    }
});
