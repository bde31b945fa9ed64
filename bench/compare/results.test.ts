import { expect, it } from 'vitest';
import { spread, type Taken } from '../report.ts';
import { betweenResults } from './results.ts';

const result = (p50: readonly number[], what = 'p50'): Record<string, Taken> => ({
  decision: {
    how: '',
    command: '',
    tables: [],
    goals: [{ what, measured: spread(p50), digits: 0, unit: 'µs', bound: 'at most', limit: 40 }],
  },
});

it('sets the goals of two results beside each other', () => {
  expect(betweenResults(result([100, 110, 120]), result([50, 55, 60])).rows).toEqual([['p50, µs', '110 (100–120)', '55 (50–60)', '0.50']]);
  expect(betweenResults(result([1]), result([1], 'p99')).rows).toEqual([]);
});
