import { expect, it } from 'vitest';
import { cents } from './columns.ts';

it.each([
  [0, '$0.00'],
  [12.345, '$12.35'],
  [-3, '-$3.00'],
  [0.00078, '$0.000780'],
  [-0.004, '-$0.004000'],
])('shows %s dollars as %s: what is there is never nothing', (usd, text) => {
  expect(cents(usd)).toBe(text);
});
