import { expect, it } from 'vitest';
import { bypassDrill } from '../bench/bypass/drill.ts';

it('lets nothing around a block, a budget, a rate limit or a mask, and lets pass what is allowed', async () => {
  const { block, budget, limit, mask, kept, allowed } = await bypassDrill();
  expect([block.length >= 450, budget.length >= 80, limit.length >= 50, mask.length >= 300]).toEqual([true, true, true, true]);
  expect(kept).toEqual([]);
  // A mask that refuses everything would prove nothing.
  expect(mask.filter(({ sent }) => sent).length).toBeGreaterThan(150);
  expect(
    [...block, ...budget, ...limit, ...mask]
      .filter(({ through }) => through)
      .map(({ way, status }) => `${way.kind}: ${way.what} (${status})`),
  ).toEqual([]);
  expect(allowed.filter(({ through, recorded }) => !through || !recorded).map(({ way, status }) => `${way.what} (${status})`)).toEqual([]);
});
