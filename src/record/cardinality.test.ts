import { expect, it } from 'vitest';
import { generation, record } from '../../test/support/decision.ts';
import { limits } from '../lib/limits.ts';
import { Metrics } from './metrics.ts';
import type { AttemptRecord, ExchangeRecord } from './types.ts';

const policy = generation();

/** An exchange whose every name was invented by its caller, decided and answered in one of many ways. */
function invented(at: number): ExchangeRecord {
  const known = record();
  const target = { provider: 'openai', model: `invented-${at}` };
  const attempt = (reason: AttemptRecord['reason']): AttemptRecord => ({
    target,
    status: 200,
    outcome: 'complete',
    reason,
    ms: at % 900,
    cost: { known: true, usd: 0.01 },
    dropped: [],
  });
  const fallback = { provider: 'openai', model: 'small' };
  const chained = at % 7 === 0;
  const kept = {
    ...known.decision!,
    action: 'keep' as const,
    requested: target,
    served: target,
    chain: chained ? [target, fallback] : [target],
  };
  return {
    ...known,
    workspace: `workspace-${at}`,
    requestedModel: target.model,
    servedModel: target.model,
    answeredModel: `answered-${at}`,
    decision: at % 3 === 0 ? null : kept,
    outcome: (['complete', 'cut', 'client-gone', 'provider-error'] as const)[at % 4]!,
    errorType: `error-${at}`,
    cache: at % 5 === 0 ? 'miss' : 'off',
    attempts: chained ? [attempt('model-gone'), { ...attempt(null), target: fallback }] : [attempt(null)],
    timing: { overheadMs: 0.2, firstByteMs: 3, firstTokenMs: at % 2 === 0 ? 4 : null, totalMs: at % 900 },
  };
}

it('10,000 workspaces and 10,000 invented models make fewer than 5,000 series', async () => {
  const metrics = new Metrics({ version: '1', policy: () => policy, refused: () => false });
  metrics.watchCooldowns(() =>
    Array.from({ length: 500 }, (_, at) => ({ target: { provider: 'openai', model: `invented-${at}` }, state: 'cooling' as const })),
  );
  for (let at = 0; at < 10_000; at++) {
    const exchange = invented(at);
    metrics.record(exchange);
    metrics.observe(
      { decision: exchange.id, time: exchange.time, score: 0.5, source: 'app' },
      {
        id: exchange.id,
        workspace: exchange.workspace,
        tier: 'simple',
        provider: 'openai',
        model: exchange.servedModel!,
        requestedModel: exchange.requestedModel!,
        arm: exchange.arm,
        policy: policy.hash,
        session: null,
        requestedProvider: 'p',
        learning: null,
      },
    );
  }
  const text = await metrics.registry.metrics();
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  expect(series).toBeLessThan(5_000);
  // And most of those are buckets and zeros: what callers invent is `other`.
  for (const name of ['workspace-', 'invented-', 'answered-', 'error-']) expect(text.includes(`"${name}`), name).toBe(false);
  // The policy's own names are still told apart.
  expect(text).toContain('llm_proxy_fallback_total{from="other",to="small",reason="model-gone"}');
  expect(text).toContain('llm_proxy_workspace_request_total{workspace="other"} 10000');
});

it('names that the catalog knows are bounded, too', async () => {
  const names = Array.from({ length: 10_000 }, (_, at) => `routed-${at}`);
  const metrics = new Metrics({ version: '1', policy: () => policy, refused: () => false });
  for (const name of names) {
    const { decision, ...rest } = record();
    const target = { provider: 'openai', model: name };
    metrics.record({
      ...rest,
      servedModel: name,
      decision: { ...decision!, action: 'route', served: target, chain: [target] },
      attempts: [{ ...rest.attempts[0]!, target }],
    });
  }
  const text = await metrics.registry.metrics();
  expect(new Set(text.match(/routed-\d+/g)).size).toBe(limits.labelValues);
});
