import { describe, expect, it } from 'vitest';
import { record } from '../../test/support/decision.ts';
import { figuresOf } from './recent-figures.ts';
import type { AttemptRecord, ExchangeRecord } from './types.ts';

const took = (totalMs: number | null, facts: Partial<ExchangeRecord> = {}): ExchangeRecord => ({
  ...record(),
  timing: { overheadMs: 0.2, firstByteMs: null, firstTokenMs: null, totalMs },
  ...facts,
});
const attempt = (model: string, reason: AttemptRecord['reason']): AttemptRecord => ({
  target: { provider: 'openai', model },
  status: 200,
  outcome: 'complete',
  reason,
  ms: 1,
  cost: { known: true, usd: 0 },
  dropped: [],
});

describe('figures of the last records', () => {
  it('are nearest-rank percentiles of what is known', () => {
    const { latency, of } = figuresOf([...Array.from({ length: 100 }, (_, at) => took(100 - at)), took(null)]);
    expect(of).toBe(101);
    expect(latency.total).toEqual({ count: 100, p50: 50, p95: 95, p99: 99 });
    expect(latency.firstToken).toEqual({ count: 0, p50: null, p95: null, p99: null });
    expect(latency.overhead).toMatchObject({ count: 101, p50: 0.2 });
  });

  it("leave what the cache answered out of the providers' times", () => {
    const cached = took(1, {
      cacheEntry: { id: 'x', ageSeconds: 1, target: { provider: 'openai', model: 'small' }, tier: null, savedMs: null },
    });
    expect(figuresOf([cached, took(500)]).latency).toMatchObject({ total: { count: 1, p50: 500 }, overhead: { count: 2 } });
  });

  it('count each step of a chain, and arms by name', () => {
    const chain = took(1, {
      attempts: [attempt('a', 'rate-limit'), attempt('b', 'timeout'), attempt('c', null)],
      arm: 'x:treatment,y:control',
    });
    const { fallbacks, arms } = figuresOf([
      chain,
      chain,
      took(9, { arm: 'x:treatment', outcome: 'cut', cost: { known: false, reason: 'usage' } }),
      took(3),
    ]);
    expect(fallbacks).toEqual([
      { from: 'openai/a', to: 'openai/b', reason: 'rate-limit', count: 2 },
      { from: 'openai/b', to: 'openai/c', reason: 'timeout', count: 2 },
    ]);
    expect(arms).toMatchObject([
      { arm: 'x:treatment', exchanges: 3, complete: 2, costUnknown: 1, latency: { count: 3, p99: 9 } },
      { arm: 'y:control', exchanges: 2 },
    ]);
  });
});
