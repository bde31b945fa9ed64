import { describe, expect, it } from 'vitest';
import type { TextRow } from './example.ts';
import { thirdsOf } from './training-set.ts';

const rowsOf = (group: string, count: number): TextRow[] =>
  Array.from({ length: count }, (_, at) => ({ prompt: `${group} ${at}`, system: '', group, weight: 1 }) as TextRow);

describe('the thirds that are left out', () => {
  const own = [
    ...Array.from({ length: 16 }, (_, at) => rowsOf(`ko/batch-${at}.txt`, 60)),
    ...Array.from({ length: 4 }, (_, at) => rowsOf(`uk/batch-${at}.txt`, 80)),
  ].flat();
  const thirds = thirdsOf({ rows: own, promptAt: own.map((_, at) => at) });

  it('keep each batch whole', () => {
    const seen = new Map<string, Set<number | null>>();
    for (const [at, { group }] of own.entries()) seen.set(group, (seen.get(group) ?? new Set()).add(thirds[at]!));
    expect([...seen.values()].every((of) => of.size === 1)).toBe(true);
  });

  it.each(['ko', 'uk'])('hold about as much of %s each', (language) => {
    const counts = [0, 0, 0];
    for (const [at, { group }] of own.entries()) if (group.startsWith(language)) counts[thirds[at]!]! += 1;
    const batch = language === 'ko' ? 60 : 80;
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(batch);
  });

  it('deal the public tiers in turn, and leave other public rows out of none', () => {
    const publicRows = [{ ...rowsOf('tiers', 1)[0]!, house: true }, ...rowsOf('subjects', 1)] as TextRow[];
    const all = [...rowsOf('en/a.txt', 1), ...publicRows];
    expect(thirdsOf({ rows: all, promptAt: [0] }).slice(1)).toEqual([1, null]);
  });
});
