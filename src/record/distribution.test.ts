import { Histogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { distributionOf } from './distribution.ts';

it('counts as prom-client does, in its own series too', async () => {
  const values = [0.001, 0.05, 0.1, 0.7, 1, 3, 1e9];
  const texts = await Promise.all(
    [false, true].map(async (own) => {
      const registry = new Registry();
      const plain = new Histogram({ name: 'plain', help: 'h', buckets: [0.05, 0.5, 1], registers: [registry] });
      const labelled = new Histogram({
        name: 'labelled',
        help: 'h',
        labelNames: ['model', 'provider'],
        buckets: [0.05, 0.5, 1],
        registers: [registry],
      });
      const series = [
        distributionOf(plain, {}),
        distributionOf(labelled, { model: 'a', provider: 'b' }),
        distributionOf(labelled, { model: 'b', provider: 'a' }),
      ];
      for (const value of values) {
        if (own) for (const one of series) one.observe(value);
        else {
          plain.observe(value);
          labelled.observe({ model: 'a', provider: 'b' }, value);
          labelled.observe({ model: 'b', provider: 'a' }, value);
        }
      }
      return registry.metrics();
    }),
  );
  expect(texts[1]).toBe(texts[0]);
  expect(texts[0]).toContain('labelled_bucket{le="1",model="a",provider="b"} 5');
});
