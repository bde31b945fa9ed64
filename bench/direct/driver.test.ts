import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defaultPolicyFile } from '../../src/policy/source.ts';
import { numberedBody } from '../bodies.ts';
import { Driver, ExchangePlan } from './driver.ts';
import { ProbedSluice } from './sluice.ts';

it.each(['default-policy', 'everything'])('is taken for Envoy: every exchange is decided and recorded (%s)', async (name) => {
  const policy = readFileSync(name === 'everything' ? new URL('everything.yaml', import.meta.url) : defaultPolicyFile, 'utf8');
  const sluice = await ProbedSluice.start({ policy });
  try {
    const driver = await Driver.connect(sluice.socket);
    const before = await sluice.usage();
    for (const [bytes, count] of [
      [1_024, 30],
      [100_000, 5],
      [3_000_000, 2],
    ] as const) {
      const results = await driver.run(new ExchangePlan(numberedBody(bytes)), count, 4);
      expect(results.filter(({ decided }) => decided)).toHaveLength(count);
    }
    expect((await sluice.usage()).cpu).toBeGreaterThan(before.cpu);
    driver.close();
    await expect
      .poll(
        () =>
          readFileSync(join(sluice.folder, 'log'), 'utf8')
            .split('\n')
            .filter((line) => line.includes('"outcome":"complete"')).length,
        { timeout: 10_000 },
      )
      .toBe(37);
  } finally {
    await sluice.stop();
  }
});
