import { expect, it } from 'vitest';
import { rankCorrelation } from '../../lib/rank-correlation.ts';
import { measureLengths } from './measure.ts';
import { readQuality } from '../quality/file.ts';
import type { OutcomeRow } from '../quality/outcomes.ts';

it('correlates ranks, with ties in the middle', () => {
  expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 1_000])).toBe(1);
  expect(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toBe(-1);
  expect(rankCorrelation([1, 1, 1], [1, 2, 3])).toBe(0);
  // scipy.stats.spearmanr([1, 2, 2, 3], [1, 3, 2, 4]) = 0.9486832980505138
  expect(rankCorrelation([1, 2, 2, 3], [1, 3, 2, 4])).toBeCloseTo(0.9486832980505138, 12);
});

it('foretells lengths that hang on the data set and model, and leaves out what was seen too seldom', () => {
  const rows = Array.from({ length: 120 }, (_, at): OutcomeRow => ({
    id: `r${at}`,
    kind: at < 80 ? 'short' : 'rare',
    source: 's',
    licence: 'none',
    prompt: `question ${at}`,
    scores: new Map(),
    outputTokens: new Map([
      ['a', 10 + (at % 3)],
      ['b', 1_000 + 10 * (at % 3)],
    ]),
  }));
  const figures = measureLengths(rows, ['a', 'b', 'c'], { quality: readQuality(undefined), seen: 50, assumed: 300 });
  // 30 answers are left of two models on one data set; the other has 40, fewer than 50 + 20.
  expect(figures).toMatchObject({ seen: 50, answers: 60, within2: 1 });
  expect(figures!.correlation).toBeGreaterThan(0.8);
  expect(measureLengths(rows, ['a'], { quality: readQuality(undefined), seen: 200, assumed: 300 })).toBeNull();
});
