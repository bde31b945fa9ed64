import { describe, expect, it } from 'vitest';
import { chatBody, quantile } from './load.ts';
import { addedRatio, spread } from './report.ts';

describe('the bench’s arithmetic', () => {
  it('takes quantiles by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1);
    expect([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)]).toEqual([50, 99, 100]);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('compares what is added to the same round’s baseline', () => {
    expect(addedRatio([1, 10], [2, 12], [3, 13])).toEqual({ median: 1.75, min: 1.5, max: 2 });
  });

  it('gives the median and the range', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 2])).toEqual({ median: 3, min: 2, max: 4 });
  });

  it.each([1_024, 32_768])('makes bodies of %i bytes that are JSON', (bytes) => {
    const body = chatBody(bytes, true);
    expect(body.length).toBe(bytes);
    expect(JSON.parse(body.toString())).toMatchObject({ stream: true, model: 'gpt-5.1' });
  });
});
