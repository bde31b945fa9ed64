import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { apgr, atLoss, atThreshold, calibrationError, callsFor, curve, relativeGap, type Scored } from './metrics.ts';

/** Four prompts: the strong model gains 1 on the first, 0 on two, and loses 1 on the last. */
const rows: Scored[] = [
  { score: 0.9, weak: 0, strong: 1 },
  { score: 0.5, weak: 1, strong: 1 },
  { score: 0.3, weak: 1, strong: 1 },
  { score: 0.1, weak: 0, strong: 1 },
];

describe('routing figures, against counts by hand', () => {
  test('the curve says what is lost as prompts move to the weak model', () => {
    expect(curve(rows).map(({ weakShare, kept, loss }) => [weakShare, kept, loss])).toEqual([
      [0, 1, 0],
      [0.25, 0.5, 0.25],
      [0.5, 0.5, 0.25],
      [0.75, 0.5, 0.25],
      [1, 0, 0.5],
    ]);
    expect(relativeGap(rows)).toBe(0.5);
    expect(apgr(rows)).toBeCloseTo(0.5, 12);
    expect(callsFor(rows, 0.5)).toBe(0.25);
    expect(callsFor(rows, 0.8)).toBe(1);
  });

  test('rows of one score move together, so their order says nothing', () => {
    const tied = rows.map((row) => ({ ...row, score: 1 }));
    expect(curve(tied)).toHaveLength(2);
    expect(apgr(tied)).toBe(0.5);
    expect(atLoss(tied, 0.4)).toMatchObject({ weakShare: 0, threshold: -Infinity });
  });

  test('a threshold sends what is at or below it, but for what is kept', () => {
    expect(atLoss(rows, 0.3)).toMatchObject({ weakShare: 0.75, threshold: 0.5 });
    expect(atThreshold(rows, 0.5)).toEqual({ weakShare: 0.75, loss: 0.25 });
    expect(atThreshold(rows, 0.5, (at) => at === 3)).toEqual({ weakShare: 0.5, loss: 0 });
  });

  test('models that score the same have no gap to keep', () => {
    expect(apgr([{ score: 1, weak: 1, strong: 1 }])).toBeNaN();
  });

  test('calibration error is the distance of mean score and mean gain', () => {
    const even = Array.from({ length: 100 }, (_, at) => ({ score: 0.3, weak: at % 2, strong: 1 }));
    expect(calibrationError(even)).toBeCloseTo(0.2, 12);
  });

  test('a router and its reverse share the chance level between them', () => {
    const row = fc.record({
      score: fc.integer({ min: 0, max: 5 }),
      weak: fc.integer({ min: 0, max: 1 }),
      strong: fc.integer({ min: 0, max: 1 }),
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (list) => {
        fc.pre(list.reduce((sum, { weak, strong }) => sum + strong - weak, 0) !== 0);
        expect(apgr(list) + apgr(list.map((one) => ({ ...one, score: -one.score })))).toBeCloseTo(1, 9);
      }),
    );
  });
});
