import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { identical, outOfFold, partOf, rates, readPairs, sameWords, servedAlike, similarity, upperBound } from './semantic.ts';

const path = process.env['SLUICE_CACHE_PAIRS'] ?? '';

describe.skipIf(!existsSync(path))('the semantic cache on labelled pairs', () => {
  it('gives no more false hits than one in 200 of all pairs, out of fold too, and some hits', () => {
    const pairs = readPairs(path);
    for (const { hits, falseHits, same } of [rates(pairs, servedAlike), outOfFold(pairs)]) {
      expect(falseHits).toBeLessThanOrEqual(hits / 200);
      expect(hits / same).toBeGreaterThan(0.065);
    }
  });
});

describe('the report', () => {
  const pairs = [
    { a: 'What is a CDN?', b: 'what is the CDN', label: 1 },
    { a: 'What is 3?', b: 'What is 4?', label: 0 },
    { a: 'Is it hot?', b: 'Is it hot? ', label: 0 },
  ] as const;

  it('counts hits and false ones', () => {
    expect(rates(pairs, servedAlike)).toEqual({ pairs: 3, same: 1, hits: 2, falseHits: 1 });
    expect(pairs.map(({ a, b }) => identical(a, b))).toEqual([false, false, true]);
    expect(sameWords('How do cats see?', 'what does a cat see')).toBe(true);
    expect(sameWords('cats', 'dogs')).toBe(false);
    expect(similarity('one two', 'one two')).toBeCloseTo(1);
    expect(similarity('one', 'zwei')).toBe(0);
  });

  it('chooses the words of content on other pairs than those that it counts', () => {
    const pair = (verb: string, label: 0 | 1) => ({ a: `What is the best way to ${verb}?`, b: `How do I ${verb}?`, label });
    // Short ones, each the same by its label but for those of one fold.
    const verbs = Array.from({ length: 60 }, (_value, index) => `zig${'abcdefghij'[Math.floor(index / 10)]!}${'klmnopqrst'[index % 10]!}`);
    const pairs = verbs.map((verb) => pair(verb, partOf(pair(verb, 1), 'fold', 10) === 3 ? 0 : 1));
    const wrong = pairs.filter(({ label }) => label === 0).length;
    expect(wrong).toBeGreaterThan(0);
    // Seen from the others the short ones look safe, so all of that fold are served; the others are not served, since it counts against
    // them.
    expect(outOfFold(pairs)).toEqual({ pairs: 60, same: 60 - wrong, hits: wrong, falseHits: wrong });
    expect(outOfFold(pairs.filter(({ label }) => label === 1))).toMatchObject({ hits: 60 - wrong, falseHits: 0 });
  });

  it('says what the true rate may still be', () => {
    // Three in n hits without a fault: the rule of three.
    expect(upperBound({ pairs: 0, same: 0, hits: 1_000, falseHits: 0 })).toBeCloseTo(0.003, 3);
    expect(upperBound({ pairs: 0, same: 0, hits: 100, falseHits: 5 })).toBeCloseTo(0.103, 2);
    expect(upperBound({ pairs: 0, same: 0, hits: 2_000, falseHits: 1_000 })).toBeCloseTo(0.519, 2);
    expect(upperBound({ pairs: 0, same: 0, hits: 0, falseHits: 0 })).toBe(1);
  });
});
