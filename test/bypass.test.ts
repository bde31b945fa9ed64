import { expect, it } from 'vitest';
import { bypassDrill } from '../bench/bypass/drill.ts';

it('lets nothing around a block or a budget, and lets pass what is allowed', { timeout: 120_000 }, async () => {
  const { block, budget, allowed } = await bypassDrill();
  expect([block.length >= 150, budget.length >= 40]).toEqual([true, true]);
  expect([...block, ...budget].filter(({ through }) => through).map(({ way, status }) => `${way.kind}: ${way.what} (${status})`)).toEqual(
    [],
  );
  expect(allowed.filter(({ through, recorded }) => !through || !recorded).map(({ way, status }) => `${way.what} (${status})`)).toEqual([]);
});
