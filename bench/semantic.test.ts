import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { identical, rates, readPairs, sameWords, servedAlike, similarity, upperBound } from './semantic.ts';

const path = process.env['SLUICE_CACHE_PAIRS'] ?? '';

describe.skipIf(!existsSync(path))('the semantic cache on labelled pairs', () => {
  it('gives no more false hits than one in 200, of pairs whose texts differ, and some hits', () => {
    const { hits, falseHits, same } = rates(readPairs(path).filter(({ a, b }) => !identical(a, b)), (a, b) => servedAlike(a, b));
    expect(falseHits).toBeLessThanOrEqual(hits / 200);
    expect(hits / same).toBeGreaterThan(0.035);
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

  it('says what the true rate may still be', () => {
    // Three in n hits without a fault: the rule of three.
    expect(upperBound({ pairs: 0, same: 0, hits: 1_000, falseHits: 0 })).toBeCloseTo(0.003, 3);
    expect(upperBound({ pairs: 0, same: 0, hits: 100, falseHits: 5 })).toBeCloseTo(0.103, 2);
    expect(upperBound({ pairs: 0, same: 0, hits: 2_000, falseHits: 1_000 })).toBeCloseTo(0.519, 2);
    expect(upperBound({ pairs: 0, same: 0, hits: 0, falseHits: 0 })).toBe(1);
  });
});
