import { describe, expect, it } from 'vitest';
import { chatBody, quantile } from './load.ts';
import { addedRatio, addedRatioOfMedians, goalsTable, reached, show, spread, tableText, type Goal } from './report.ts';

describe('the bench’s arithmetic', () => {
  it('takes quantiles by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1);
    expect([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)]).toEqual([50, 99, 100]);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('compares what is added to the same round’s baseline', () => {
    expect(addedRatio([1, 10], [2, 12], [3, 13])).toEqual({ median: 1.75, min: 1.5, max: 2 });
    expect(addedRatioOfMedians([1, 1, 1], [2, 3, 5], [3, 5, 4])).toEqual({ median: 1.5, min: 0.75, max: 2 });
  });

  it('does not make a ratio of a difference that is lost in noise', () => {
    expect(addedRatio([1, 1, 1], [2, 0.5, 3], [3, 3, 3])).toEqual({ median: 1.5, min: 1, max: 2 });
    const lost = addedRatio([1, 1], [2, 0.5], [3, 3]);
    expect(show(lost)).toBe('lost in noise');
    expect(addedRatioOfMedians([2, 2], [1, 2.5], [3, 3]).median).toBeNaN();
    const goal: Goal = { what: 'x', measured: lost, digits: 1, unit: '×', bound: 'at most', limit: 2 };
    expect([reached(goal), goalsTable([goal]).rows[0]?.slice(2)]).toEqual([false, ['lost in noise', '?']]);
  });

  it('gives the median and the range', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 2])).toEqual({ median: 3, min: 2, max: 4 });
    expect([show(spread([1, 2, 4]), 1), show(spread([5]), 0)]).toEqual(['2.0 (1.0–4.0)', '5']);
  });

  it('says of each goal whether its median is there', () => {
    const goal = (bound: Goal['bound'], limit: number): Goal => ({
      what: 'speed',
      measured: spread([1, 2, 6]),
      digits: 1,
      unit: 'ms',
      bound,
      limit,
    });
    expect([goal('at most', 2), goal('at most', 1.9), goal('at least', 2), goal('at least', 15_000)].map(reached)).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(
      tableText(goalsTable([goal('at most', 2), goal('at least', 15_000)]))
        .split('\n')
        .slice(2),
    ).toEqual(['| speed | ≤ 2 ms | 2.0 (1.0–6.0) ms | reached |', '| speed | ≥ 15,000 ms | 2.0 (1.0–6.0) ms | **not reached** |']);
  });

  it.each([1_024, 32_768])('makes bodies of %i bytes that are JSON', (bytes) => {
    const body = chatBody(bytes, true);
    expect(body.length).toBe(bytes);
    expect(JSON.parse(body.toString())).toMatchObject({ stream: true, model: 'gpt-5.1' });
  });
});
