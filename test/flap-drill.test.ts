import { expect, it } from 'vitest';
import { flapDrill } from '../bench/fallback/flap.ts';

// The short form of `npm run drill -- flap`.
it('loses, doubles and mixes nothing while providers flap', async () => {
  const report = await flapDrill({ clients: 30, seconds: 6, seed: 7 });
  expect(report.violations).toEqual([]);
  expect(report.answered + report.cut + report.undecided).toBe(report.sent);
  expect(report.byFallback).toBeGreaterThan(0);
});
