import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nearest } from './nearest.ts';

/** Levenshtein distance by its definition. */
function reference(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  return Math.min(reference(a.slice(1), b) + 1, reference(a, b.slice(1)) + 1, reference(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1));
}

it('names what is near enough, the nearest first, and whatever begins with it', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 5 });
  fc.assert(
    fc.property(name, fc.uniqueArray(name, { maxLength: 6 }), (wanted, known) => {
      const bound = wanted.length <= 3 ? 1 : Math.max(2, Math.ceil(wanted.length / 3));
      const named = nearest(wanted, known, known.length);
      expect(new Set(named)).toEqual(new Set(known.filter((other) => reference(wanted, other) <= bound || other.startsWith(wanted))));
      const distances = named.map((other) => reference(wanted, other));
      expect(distances).toEqual([...distances].sort((a, b) => a - b));
    }),
  );
});

it('is quick where a policy names thousands of models that a catalog of thousands lacks', () => {
  const known = Array.from({ length: 2_000 }, (_, at) => `vendor/some-long-model-name-${at}`);
  for (let at = 0; at < 200; at++) expect(nearest(`asked-${at}`, known)).toEqual([]);
});
