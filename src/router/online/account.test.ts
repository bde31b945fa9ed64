import { expect, test } from 'vitest';
import { Account } from './account.ts';
import { emptySums, addPair } from './evidence.ts';
import { beliefSettings } from './settings.ts';
import { estimateSpreads, type Graded } from './spreads.ts';
import { seeded } from '../training/random.ts';

test('the account counts what the weak model took, and forgets it slowly', () => {
  const account = new Account();
  const key = (template: string) => ({ template, kind: 'k', spread: 0.1 });
  for (let at = 0; at < 100; at++) account.add(key(at % 2 === 0 ? 'a' : 'b'), 0.25, at % 2 === 0);
  const [only, ...others] = account.settle();
  expect(others).toEqual([]);
  expect(only).toEqual({ ...key('a'), count: 50, gain: 12.5 });
  expect(account.requests).toBe(100);
  for (let at = 0; at < 4_096; at++) account.add(key('b'), 0.25, false);
  const [left] = account.settle();
  expect(left!.count).toBeCloseTo(50 / Math.E, 1);
  expect(account.requests).toBeCloseTo(4_096 + 100 / Math.E, 0);
  for (let at = 0; at < 60_000; at++) account.add(key('b'), 0.25, false);
  expect([...account.settle()]).toEqual([]);
});

test('a router that places templates wrongly is believed less, and they look no further apart for it', () => {
  const random = seeded(1);
  const graded = (gainOf: (template: number) => number): Graded[] =>
    Array.from({ length: 40 }, (_, template) => {
      const sums = emptySums();
      // The weak model falls short in one of ten, wherever it is asked.
      for (let at = 0; at < 100; at++) addPair(sums, random() < 0.1 ? 1 : 0, gainOf(template), 1);
      return { sums, spread: 0.1, kind: '' };
    });
  const wrong = estimateSpreads(
    graded((template) => (template % 2 === 0 ? 0.4 : 0)),
    beliefSettings,
    0.1,
  );
  const flat = estimateSpreads(
    graded(() => 0.1),
    beliefSettings,
    0.1,
  );
  expect(wrong.between).toBeLessThan(0.1);
  expect(flat.between).toBeGreaterThan(0.5);
  expect(wrong.template).toBeLessThan(0.05);
});

test('a router that orders the requests of a template, and not the templates, is believed in the one and not in the other', () => {
  const random = seeded(2);
  const graded = Array.from({ length: 40 }, (_, template): Graded => {
    const sums = emptySums();
    const far = template % 2 === 0 ? 0.4 : 0;
    for (let at = 0; at < 200; at++) {
      const own = 0.3 * random();
      addPair(sums, random() < 0.1 + own ? 1 : 0, far + own, 1);
    }
    return { sums, spread: 0.1, kind: '' };
  });
  const { slope, slopeVariance, between } = estimateSpreads(graded, beliefSettings, 0.1);
  expect(slope).toBeGreaterThan(0.7);
  expect(between).toBeLessThan(0.2);
  expect(slopeVariance).toBeLessThan(0.01);
  expect(estimateSpreads([], beliefSettings, 0.1).slopeVariance).toBeCloseTo(beliefSettings.slopeError ** 2, 9);
});
