import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { root } from './processes.ts';

it('times decisions that are made and recorded', () => {
  const times = JSON.parse(execFileSync(process.execPath, [`${root}bench/decision.ts`, '50'], { encoding: 'utf8' })) as Record<
    string,
    { readonly p50: number }
  >;
  expect(Object.keys(times)).toEqual(['decide', 'record', 'both']);
  for (const { p50 } of Object.values(times)) expect(p50).toBeGreaterThan(0);
});
