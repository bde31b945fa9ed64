import { expect, it } from 'vitest';
import { sample } from '../../test/support/ledger.ts';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from '../policy/compile.ts';
import { Metrics } from './metrics.ts';
import { RecentRecords } from './recent.ts';

const { generation } = compilePolicy([{ name: 'p.yaml', text: 'version: 1\n' }], { catalog: await loadCatalog() });
const free = { known: true, usd: 0 } as const;
const unknown = { known: false, reason: 'usage' } as const;

it('a refused request claims no model, provider, latency or usage', async () => {
  const metrics = new Metrics({ version: '1', policy: () => generation!, refused: () => false });
  metrics.record(
    sample(1, {
      outcome: 'blocked',
      servedModel: null,
      attempts: [],
      usage: null,
      usageUnknown: 'not-observed',
      cost: free,
      baseline: unknown,
      savings: unknown,
    }),
  );
  const text = await metrics.registry.metrics();
  expect(text).toMatch(/^llm_proxy_request_total\{model="none",provider="none",.*outcome="blocked"\} 1$/m);
  expect(text).not.toMatch(/^llm_proxy_(latency_seconds_count|usage_unknown_total|attempt_total)\{/m);
  metrics.record(sample(2));
  expect(await metrics.registry.metrics()).toMatch(/^llm_proxy_latency_seconds_count\{/m);
});

it('sums since the start add up, and tell apart what has no baseline', () => {
  const recent = new RecentRecords();
  recent.record(sample(1, { cost: { known: true, usd: 1 }, baseline: { known: true, usd: 3 }, savings: { known: true, usd: 2 } }));
  recent.record(sample(2, { cost: { known: true, usd: 5 }, baseline: unknown, savings: unknown }));
  recent.record(sample(3, { cost: unknown, baseline: { known: true, usd: 7 }, savings: unknown }));
  expect(recent.totals()).toMatchObject({
    exchanges: 3,
    cost: { usd: 1, known: 2, unknown: 1 },
    apart: { usd: 5, exchanges: 1 },
    baseline: { usd: 3, known: 2, unknown: 1 },
    savings: { usd: 2, known: 1, unknown: 2 },
  });
});
