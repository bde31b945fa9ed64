import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { answer, anyText, generation, input, model, record, ref, standardModels, usage } from '../../test/support/decision.ts';
import type { ExchangeRecord } from './types.ts';
import { limits } from '../lib/limits.ts';
import { explainRecord } from '../route/explain.ts';
import { baselineBasis, estimateSavings } from '../route/savings.ts';
import { fanout } from './fanout.ts';
import { uuidv7 } from './id.ts';
import { createLogger, logSink, openLog } from './log-sink.ts';
import { metricsPage, metricTable } from './metric-table.ts';
import { Metrics } from './metrics.ts';
import { RecentRecords } from './recent.ts';

const policy = generation();
const newMetrics = (current = policy) => new Metrics({ version: '1.2.3', policy: () => current, refused: () => false });

/** The sample lines of a metric. */
async function samples(metrics: Metrics, name: string): Promise<string[]> {
  const text = await metrics.registry.metrics();
  return text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

describe('the decision id', () => {
  it('is a UUIDv7 whose first 48 bits are the time', async () => {
    // The first of its process: ids never step back to before one that was made.
    vi.resetModules();
    const { uuidv7 } = await import('./id.ts');
    const now = Date.now();
    const id = uuidv7(now);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(now);
  });

  it('rises within a millisecond and when the clock steps back', () => {
    const now = Date.now() + 2_000_000;
    const ids = Array.from({ length: 20_000 }, (_, at) => uuidv7(now - (at % 3)));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('shadow mode', () => {
  it('says what would have been saved: in the record, in a metric and in the running totals, apart from what was', async () => {
    const shadowed = record(input({ section: { mode: 'shadow' } }));
    expect(shadowed).toMatchObject({ savings: { known: true, usd: 0 }, shadowSavings: { known: true, usd: 0.0285 } });
    expect(explainRecord(shadowed)).toContain('would save  $0.0285');
    const metrics = newMetrics();
    metrics.record(shadowed);
    expect(await samples(metrics, metricTable.shadowSavings.name)).toEqual([expect.stringMatching(/model="small".* 0\.0285$/)]);
    const recent = new RecentRecords();
    recent.record(shadowed);
    recent.record(record());
    expect(recent.totals()).toMatchObject({ shadow: { usd: 0.0285, known: 1, unknown: 0 }, savings: { usd: 0.0285 } });
    expect(record()).not.toHaveProperty('shadowSavings');
  });
});

describe('the savings', () => {
  it('are what the requested model would have cost less what the served one costs, for the same usage', () => {
    expect(estimateSavings(policy, { target: ref('dear'), typical: null }, ref('small'), usage(1_000, 500))).toMatchObject({
      cost: { known: true, usd: 0.0015 },
      baseline: { known: true, usd: 0.03 },
      savings: { known: true, usd: 0.0285 },
    });
  });

  it('are negative when the served model is the costlier one', () => {
    expect(estimateSavings(policy, { target: ref('small'), typical: null }, ref('dear'), usage(1_000, 500)).savings).toEqual({
      known: true,
      usd: -0.0285,
    });
    expect(baselineBasis(policy, { target: ref('dear'), typical: null }, usage(1_000, 500))).toEqual({
      target: 'openai/dear',
      tokens: 'same',
      low: null,
      high: null,
    });
    // The requested model answers in 200 tokens where the served one took 500: 1,200 tokens at 20 dollars a million, not 1,500.
    const typical = { target: ref('dear'), typical: { tokens: 200, spread: 0.5, reasoning: 0.5 } };
    expect(estimateSavings(policy, typical, ref('small'), usage(1_000, 500))).toMatchObject({
      cost: { usd: 0.0015 },
      baseline: { known: true, usd: 0.024 },
      savings: { known: true, usd: 0.0225 },
    });
    const basis = baselineBasis(policy, typical, usage(1_000, 500));
    expect(basis).toMatchObject({ target: 'openai/dear', tokens: 'typical' });
    expect(basis.low!).toBeGreaterThan(0.02);
    expect(basis.low!).toBeLessThan(0.024);
    expect(basis.high!).toBeGreaterThan(0.026);
    expect(baselineBasis(policy, typical, null)).toEqual({ target: 'openai/dear', tokens: 'typical', low: null, high: null });
  });

  it('are unknown, with the reason, when either side is', () => {
    const unknown = (reason: string) => ({ known: false, reason });
    expect(estimateSavings(policy, { target: ref('dear'), typical: null }, ref('small'), null)).toMatchObject({
      cost: unknown('usage'),
      baseline: unknown('usage'),
      savings: unknown('usage'),
    });
    expect(estimateSavings(policy, { target: ref('ft:mine'), typical: null }, ref('small'), usage(1, 1))).toMatchObject({
      cost: { known: true },
      baseline: unknown('model'),
      savings: unknown('model'),
    });
    const priceless = generation({ models: [...standardModels, model('openai', 'secret', null)] });
    expect(estimateSavings(priceless, { target: ref('small'), typical: null }, ref('secret'), usage(1, 1))).toMatchObject({
      cost: unknown('price'),
      savings: unknown('price'),
    });
  });
});

describe('the record', () => {
  it('prices the model that was sent, whatever the answer calls it', () => {
    const one = record();
    expect(one).toMatchObject({
      servedModel: 'small',
      answeredModel: 'small-2026',
      cost: { usd: 0.0015 },
      baseline: { usd: 0.03 },
      savings: { usd: 0.0285 },
      usageUnknown: null,
      time: '2023-11-14T22:13:20.000Z',
    });
    expect(one.attempts).toEqual([
      { target: ref('small'), status: 200, outcome: 'complete', reason: null, ms: 90.5, cost: { known: true, usd: 0.0015 }, dropped: [] },
    ]);
  });

  it('survives JSON unchanged', () => {
    const one = record();
    expect(JSON.parse(JSON.stringify(one))).toEqual(one);
  });

  it('says why usage and cost are unknown', () => {
    expect(record(input(), { outcome: 'unobserved', answer: null })).toMatchObject({
      usageUnknown: 'not-observed',
      cost: { known: false, reason: 'usage' },
      answeredModel: null,
    });
    expect(record(input(), { outcome: 'cut', answer: answer({ usage: null, usageUnknown: 'cut' }) })).toMatchObject({
      usageUnknown: 'cut',
      savings: { known: false, reason: 'usage' },
    });
  });

  it('costs nothing and saves an unknown sum when it was blocked', () => {
    const secret = { name: 'iban', pattern: anyText, then: { kind: 'block', message: 'no' } as const };
    expect(record(input({ section: { sensitivity: [secret] } }), { outcome: 'blocked', status: 403, answer: null })).toMatchObject({
      servedModel: null,
      attempts: [],
      cost: { known: true, usd: 0 },
      baseline: { known: false },
      savings: { known: false, reason: 'usage' },
    });
  });

  it('prices an exchange that was read but not decided as it was sent', () => {
    expect(record(input(), {}, { kind: 'observed', passReason: 'route-off', decision: null, verdict: null })).toMatchObject({
      servedModel: 'dear',
      cost: { usd: 0.03 },
      savings: { usd: 0 },
    });
  });
});

describe('the metrics', () => {
  it('count an exchange, its tokens, dollars and times', async () => {
    const metrics = newMetrics();
    metrics.record(record());
    metrics.record(record());
    const labels = 'model="small",provider="openai"';
    expect(await samples(metrics, 'llm_proxy_request_total')).toEqual([
      `llm_proxy_request_total{${labels},api="openai-chat",tier="simple",reason="tier",cache_hit="false",outcome="complete"} 2`,
    ]);
    expect(await samples(metrics, 'llm_proxy_route_total')).toEqual([
      'llm_proxy_route_total{tier="simple",reason="tier",requested_model="dear",served_model="small"} 2',
    ]);
    expect(await samples(metrics, 'llm_proxy_cost_total')).toEqual([`llm_proxy_cost_total{${labels}} 0.003`]);
    expect(await samples(metrics, 'llm_proxy_baseline_cost_total')).toEqual([
      'llm_proxy_baseline_cost_total{model="dear",provider="openai"} 0.06',
    ]);
    expect(await samples(metrics, 'llm_proxy_savings_total')).toEqual(['llm_proxy_savings_total{model="dear",provider="openai"} 0.057']);
    expect(await samples(metrics, 'llm_proxy_token_count_input_total')).toEqual(['llm_proxy_token_count_input_total{model="small"} 2000']);
    expect(await samples(metrics, 'llm_proxy_token_count_output_total')).toEqual([
      'llm_proxy_token_count_output_total{model="small"} 1000',
    ]);
    expect(await samples(metrics, 'llm_proxy_latency_seconds_sum')).toEqual([`llm_proxy_latency_seconds_sum{${labels}} 0.181`]);
    expect(await samples(metrics, 'llm_proxy_overhead_seconds_sum')).toEqual(['llm_proxy_overhead_seconds_sum 0.00025']);
    expect(await samples(metrics, 'llm_proxy_workspace_request_total')).toEqual(['llm_proxy_workspace_request_total{workspace="red"} 2']);
  });

  it('add nothing for what is unknown, and count why', async () => {
    const metrics = newMetrics();
    metrics.record(record(input(), { outcome: 'cut', answer: answer({ usage: null, usageUnknown: 'cut' }) }));
    expect(await samples(metrics, 'llm_proxy_cost_unknown_total')).toEqual(['llm_proxy_cost_unknown_total{reason="usage"} 1']);
    expect(await samples(metrics, 'llm_proxy_usage_unknown_total')).toEqual(['llm_proxy_usage_unknown_total{reason="cut"} 1']);
    expect(await samples(metrics, 'llm_proxy_token_count_input_total')).toEqual([]);
  });

  it('count a costlier model as extra cost, so that no counter falls', async () => {
    const metrics = newMetrics();
    metrics.record(record(input({ exchange: { model: 'small' }, verdict: { tier: 'complex' }, section: { upgrades: 'allow' } })));
    expect(await samples(metrics, 'llm_proxy_extra_cost_total')).toEqual([
      'llm_proxy_extra_cost_total{model="small",provider="openai"} 0.0135',
    ]);
    expect(await samples(metrics, 'llm_proxy_savings_total')).toEqual(['llm_proxy_savings_total{model="small",provider="openai"} 0']);
  });

  it('stay bounded under 10,000 invented models and workspaces', async () => {
    const metrics = newMetrics();
    const one = record();
    const count = async () => (await metrics.registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    const observed = (facts: Partial<ExchangeRecord>) => metrics.record({ ...one, decision: null, ...facts });
    observed({ requestedModel: 'invented', servedModel: 'invented', workspace: 'blue' });
    const before = await count();
    for (let at = 0; at < 10_000; at++)
      observed({ requestedModel: `invented-${at}`, servedModel: `invented-${at}`, workspace: `blue-${at}` });
    expect(await count()).toBe(before);
    expect(before).toBeLessThan(5_000);
    expect(await samples(metrics, 'llm_proxy_workspace_request_total')).toEqual([
      'llm_proxy_workspace_request_total{workspace="other"} 10001',
    ]);
  });

  it('name no more of the catalog than the bound', async () => {
    const models = Array.from({ length: limits.labelValues + 50 }, (_, at) => model('openai', `m${at}`, 1));
    const metrics = newMetrics(generation({ models }));
    for (const { model: name } of models) metrics.record({ ...record(), decision: null, requestedModel: name, servedModel: name });
    expect(await samples(metrics, 'llm_proxy_token_count_input_total')).toHaveLength(limits.labelValues + 1);
  });

  it('bound the combinations of labels, too', async () => {
    const metrics = newMetrics();
    for (let at = 0; at < limits.metricSeries + 500; at++) metrics.protocolEvent(`kind-${at}`);
    const lines = await samples(metrics, 'llm_proxy_protocol_events_total');
    expect(lines).toHaveLength(limits.metricSeries + 1);
    expect(lines.at(-1)).toBe('llm_proxy_protocol_events_total{kind="other"} 500');
  });

  it('show passes, fail-opens, the policy, the catalog and what is pending', async () => {
    const metrics = newMetrics();
    metrics.passthrough('not-json');
    metrics.failOpen('internal-error');
    metrics.watchPending(() => 7);
    const text = await metrics.registry.metrics();
    for (const line of [
      'llm_proxy_passthrough_total{reason="not-json"} 1',
      'llm_proxy_fail_open_total{reason="internal-error"} 1',
      'llm_proxy_pending_exchanges 7',
      'llm_proxy_policy_generation 3',
      'llm_proxy_policy_loaded_timestamp_seconds 1700000000',
      'llm_proxy_policy_refused 0',
      'llm_proxy_catalog_info{version="2026-01-01-abc",date="2026-01-01"} 1',
      `llm_proxy_build_info{version="1.2.3",node="${process.version}"} 1`,
    ]) {
      expect(text).toContain(`${line}\n`);
    }
  });

  it('count what the cache answered as saved, and as nothing that a model did', async () => {
    const metrics = newMetrics();
    const cacheEntry = { id: 'abc', ageSeconds: 30, target: { provider: 'openai', model: 'small' }, tier: 'simple', savedMs: 2_000 };
    const served = record(input(), {}, { kind: 'cached', decision: null, verdict: null, cache: 'hit', cacheEntry });
    expect(served).toMatchObject({ servedModel: 'small', cost: { known: true, usd: 0 }, attempts: [], cacheEntry: { ageSeconds: 30 } });
    expect(served.savings).toEqual(served.baseline);
    expect(explainRecord(served)).toContain('from cache  hit, entry abc, 30 s old, fetched from openai/small');
    metrics.record(served);
    const text = await metrics.registry.metrics();
    expect(text).toContain('llm_proxy_cache_total{result="hit"} 1\n');
    expect(text).toContain('llm_proxy_cache_saved_seconds_total 2\n');
    expect(text).toMatch(/^llm_proxy_request_total\{[^}]*tier="simple",reason="cache",cache_hit="true"[^}]*\} 1$/m);
    expect(text).not.toMatch(/^llm_proxy_token_count_input_total\{[^}]*\} [1-9]/m);
    expect(served.savings.known && text.includes(`llm_proxy_cache_saved_dollars_total ${served.savings.usd}\n`)).toBe(true);
  });

  it('are all in the table, and the page in docs is the one that the table makes', async () => {
    const metrics = newMetrics();
    metrics.watchPolicySources({ sources: () => [] });
    metrics.watchPolicyConnection(() => true);
    metrics.watchBudgets(() => []);
    metrics.watchCache(() => ({ entries: 0, bytes: 0, evictions: 0, waiting: 0, redis: 'none' }));
    metrics.watchSessions(() => 0);
    metrics.watchLimits(() => []);
    metrics.watchUnnamedWorkspaces(() => 0);
    metrics.watchCertificates(() => ({}));
    metrics.watchNoPolicy(() => false);
    metrics.watchKeyFiles(() => 0);
    metrics.watchEmbeddedPolicy(false);
    metrics.watchTrials(
      () => 0,
      () => [],
    );
    const registered = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name);
    expect(registered.sort()).toEqual(
      Object.values(metricTable)
        .map(({ name }) => name)
        .sort(),
    );
    expect(readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')).toBe(metricsPage());
  });
});

describe('the sinks', () => {
  it('write one JSON line a record, with a fixed message', () => {
    const lines: string[] = [];
    const destination = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines.push(chunk.toString());
        done();
      },
    });
    const logger = createLogger('info', destination);
    const sink = logSink({ logger, destination });
    sink.record(record());
    expect(lines).toHaveLength(1);
    const entry = JSON.parse(lines[0]!) as Record<string, unknown>;
    expect(Object.keys(entry).sort()).toEqual(['level', 'msg', 'record', 'time']);
    expect(entry).toMatchObject({ level: 'info', msg: 'exchange', record: record() });
    // The same members in the same order as the logger's own lines.
    logger.info({ record: record() }, 'exchange');
    expect(lines[1]!.replace(/"time":"[^"]*"/, '')).toBe(lines[0]!.replace(/"time":"[^"]*"/, ''));
  });

  it('write to a file in the background, without being told to flush', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
    try {
      const path = join(folder, 'new', 'log.jsonl');
      const log = openLog({ level: 'info', path });
      logSink(log).record(record());
      await vi.waitFor(() => expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ msg: 'exchange', record: record() }), {
        timeout: 20_000,
      });
      logSink(log).record(record());
      await log.flush();
      expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('do not stop each other or the caller', () => {
    const errors: unknown[] = [];
    const seen: string[] = [];
    const broken = new Error('full');
    const all = fanout(
      [
        {
          record: () => {
            throw broken;
          },
        },
        { record: ({ id }) => seen.push(id) },
      ],
      (error) => errors.push(error),
    );
    all.record(record());
    expect([errors, seen]).toEqual([[broken], [record().id]]);
  });

  it('survive a log that cannot be written to', () => {
    const destination = {
      write: () => {
        throw new Error('closed');
      },
    };
    const sink = logSink({ logger: createLogger('info', destination), destination });
    expect(() => sink.record(record())).not.toThrow();
  });
});

describe('the recent records', () => {
  it('keep the newest up to the bound, and find them by id, workspace and model', () => {
    const recent = new RecentRecords(3);
    for (const id of ['a', 'b', 'c', 'd']) recent.record({ ...record(), id, workspace: id === 'c' ? 'blue' : 'red' });
    expect(recent.get('a')).toBeNull();
    expect(recent.get('b')?.id).toBe('b');
    const ids = (filter: Parameters<RecentRecords['list']>[0]) => recent.list(filter).map(({ id }) => id);
    expect(ids({ limit: 10 })).toEqual(['d', 'c', 'b']);
    expect(ids({ limit: 1 })).toEqual(['d']);
    expect(ids({ limit: 10, workspace: 'blue' })).toEqual(['c']);
    expect(ids({ limit: 10, model: 'small' })).toEqual(['d', 'c', 'b']);
    expect(ids({ limit: 10, model: 'large' })).toEqual([]);
  });

  it('total what is known and count what is not', () => {
    const recent = new RecentRecords(1);
    recent.record(record());
    recent.record(record(input(), { answer: null }));
    expect(recent.totals()).toMatchObject({
      exchanges: 2,
      cost: { usd: 0.0015, known: 1, unknown: 1 },
      savings: { usd: 0.0285, known: 1, unknown: 1 },
    });
  });
});
