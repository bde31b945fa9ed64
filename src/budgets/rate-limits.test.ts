import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { admit as admitted, attempt as attemptAt, BudgetRedis, held, inputOf, type Asked } from '../../test/support/budgets.ts';
import { usage } from '../../test/support/decision.ts';
import { compile, compiled } from '../../test/support/policy.ts';
import { redisThere } from '../../test/support/redis.ts';
import { limits } from '../lib/limits.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { AttemptRecord } from '../record/types.ts';
import { decide } from '../route/decide.ts';
import { Budgets, type BudgetAdmission } from './budgets.ts';
import { MemoryBudgetStore } from './memory.ts';
import { limitFigures, viewLimits } from './rate-view.ts';
import { RedisBudgetStore } from './redis.ts';
import type { BudgetStore } from './types.ts';

const noon = Date.UTC(2026, 10, 21, 12);
const routed = 'defaults: {candidates: {simple: [gpt-small], standard: [gpt-middle, gpt-small], complex: [gpt-large]}}\n';
const policyOf = (limit: string, more = ''): PolicySnapshot => compiled(`version: 1\n${routed}limits: ${limit}\n${more}`);

interface Bench {
  readonly budgets: Budgets;
  readonly actions: string[];
}

const clock = { at: noon };
const now = (): number => clock.at;

function bench(store: BudgetStore): Bench {
  const actions: string[] = [];
  return {
    actions,
    budgets: new Budgets({
      store,
      now,
      onEvent: () => undefined,
      onAction: () => undefined,
      onLimit: (limit, kind, action) => actions.push(`${limit} ${kind} ${action}`),
    }),
  };
}

/** Of 100 tokens, where nothing else is said. */
const admit = async (made: Bench, generation: PolicySnapshot, what: Asked = {}): Promise<BudgetAdmission> =>
  admitted(made, generation, { tokens: 100, ...what });

const attempt = (model: string, status: number | null = 200, known = true): AttemptRecord =>
  attemptAt(model, known ? { known: true, usd: 0 } : { known: false, reason: 'usage' }, status);
type Ended = Parameters<Budgets['settle']>[1];
const ended = (used: Ended['usage'], ...attempts: AttemptRecord[]): Ended => ({
  workspace: 'red',
  attempts: attempts.length === 0 ? [attempt('gpt-large')] : attempts,
  usage: used,
  cost: attempts.at(-1)?.cost ?? { known: true, usd: 0 },
  status: 200,
});
/** Used of each counter, those that nobody has used left out. */
const used = async (store: BudgetStore, generation: PolicySnapshot): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await viewLimits(generation, store, { limit: null, rows: 100, now: clock.at })).limits
      .filter((view) => view.used !== 0)
      .map(({ limit, kind, period, of, used: amount }) => [
        [limit, kind, period, ...Object.values(of)].filter((part) => part !== null).join(' '),
        amount,
      ]),
  );

const redis = new BudgetRedis();
const redisStore = (slotLeaseMs: number = limits.slotLeaseMs): Promise<RedisBudgetStore> => redis.open({ now, slotLeaseMs });

beforeAll(() => redis.start());
beforeEach(() => {
  clock.at = noon;
});
afterEach(() => redis.closeStores());
afterAll(() => redis.remove());

const stores: readonly (readonly [string, () => Promise<BudgetStore> | BudgetStore])[] = [
  ['memory', () => new MemoryBudgetStore(now)],
  ...(!redisThere ? [] : [['Redis', () => redisStore()] as const]),
];

describe.each(stores)('a rate limit in %s', (kind, open) => {
  let made: Bench;
  beforeEach(async () => {
    if (kind === 'Redis') await redis.flush();
    made = bench(await open());
  });
  const settled = (generation: PolicySnapshot, what: Record<string, number>): Promise<void> =>
    expect.poll(() => used(made.budgets.store, generation)).toEqual(what);

  it('takes so many requests a minute and refuses the next one until the minute is over', async () => {
    const generation = policyOf('[{name: team, requests: {minute: 2, day: 5}}]');
    clock.at = noon + 18_400;
    const first = await admit(made, generation);
    expect(first.limits).toEqual([
      { limit: 'team', kind: 'requests', period: 'minute', of: {}, action: 'counted', reserved: 1, used: 1, max: 2 },
      { limit: 'team', kind: 'requests', period: 'day', of: {}, action: 'counted', reserved: 1, used: 1, max: 5 },
    ]);
    // An answer that has come makes no room.
    made.budgets.settle(held(first), ended(usage(100, 10)));
    await settled(generation, { 'team requests minute': 1, 'team requests day': 1 });
    await admit(made, generation);
    const refused = await admit(made, generation);
    expect(refused).toMatchObject({
      decision: {
        action: 'block',
        reason: 'over-limit',
        rule: 'team',
        chain: [],
        block: { status: 429, message: 'The rate limit team (2 requests a minute) is reached. Try again in 42 s.', retryAfterSeconds: 42 },
      },
      limits: [{ limit: 'team', kind: 'requests', period: 'minute', action: 'refused', reserved: null, used: 2 }],
      reservation: null,
      refusal: { kind: 'requests', mayRetry: true, readings: [{ kind: 'requests', max: 2, remaining: 0, resetAt: noon + 60_000 }] },
    });
    expect(made.actions).toEqual(['team requests refused']);
    clock.at = noon + 60_000;
    for (let i = 0; i < 2; i++) expect((await admit(made, generation)).decision.action).toBe('keep');
    clock.at = noon + 120_000;
    expect((await admit(made, generation)).decision.action).toBe('keep');
    const byDay = await admit(made, generation);
    expect(byDay.decision.block?.message).toMatch(/^The rate limit team \(5 requests a day\) is reached/);
    expect(byDay.refusal?.readings).toEqual([{ kind: 'requests', max: 5, remaining: 0, resetAt: Date.UTC(2026, 10, 22) }]);
  });

  it('sets tokens aside by the estimate, and settles what the answer took', async () => {
    const generation = policyOf('[{name: team, tokens: {minute: 1000}}]');
    const first = await admit(made, generation, { tokens: 700 });
    expect(first.limits).toMatchObject([{ kind: 'tokens', reserved: 700, used: 700, action: 'counted' }]);
    const busy = await admit(made, generation, { tokens: 400 });
    // What it waits for is on its way, and may turn out less.
    expect(busy.decision).toMatchObject({ reason: 'over-limit', block: { retryAfterSeconds: 5 } });
    expect(busy.refusal?.readings).toEqual([{ kind: 'tokens', max: 1000, remaining: 300, resetAt: noon + 60_000 }]);
    made.budgets.settle(held(first), ended(usage(300, 150)));
    await settled(generation, { 'team tokens minute': 450 });
    expect((await admit(made, generation, { tokens: 400 })).decision.action).toBe('keep');
    const never = await admit(made, generation, { tokens: 1001 });
    expect(never.decision.block?.message).toBe(
      'The rate limit team (1000 tokens a minute) never allows this request, which counts as 1001 tokens.',
    );
    expect(never.refusal?.mayRetry).toBe(false);
  });

  it('counts unknown usage as it was estimated, errors as no tokens, and a chain as one request', async () => {
    const generation = policyOf(
      '[{name: each, per: [model], requests: {minute: 100}, tokens: {minute: 100000}}, {name: all, requests: {hour: 100}}]',
    );
    const settle = async (end: Ended): Promise<void> => made.budgets.settle(held(await admit(made, generation)), end);
    await settle(ended(null, attempt('gpt-large', null, false)));
    await settled(generation, {
      'each requests minute openai/gpt-large': 1,
      'each tokens minute openai/gpt-large': 100,
      'all requests hour': 1,
    });
    await settle(ended(null, attempt('gpt-large', 500, false)));
    await settled(generation, {
      'each requests minute openai/gpt-large': 2,
      'each tokens minute openai/gpt-large': 100,
      'all requests hour': 2,
    });
    await settle(ended(usage(90, 10), attempt('gpt-large', 503, false), attempt('gpt-small')));
    await settled(generation, {
      'each requests minute openai/gpt-large': 3,
      'each requests minute openai/gpt-small': 1,
      'each tokens minute openai/gpt-large': 100,
      'each tokens minute openai/gpt-small': 100,
      'all requests hour': 3,
    });
  });

  it('gives places to so many requests at once, and takes each back when its request has ended', async () => {
    const generation = policyOf('[{name: team, concurrent: 2, per: [user]}]');
    const mine = { user: 'ann' };
    const first = await admit(made, generation, mine);
    const second = await admit(made, generation, mine);
    const third = await admit(made, generation, mine);
    expect(third).toMatchObject({
      decision: {
        reason: 'over-limit',
        block: {
          status: 429,
          retryAfterSeconds: 1,
          message: 'The rate limit team (2 requests at once) is reached. Try again when one of them has ended.',
        },
      },
      refusal: { kind: 'concurrent', readings: [] },
      limits: [{ kind: 'concurrent', period: null, used: 2, max: 2 }],
    });
    expect((await admit(made, generation, { user: 'bob' })).decision.action).toBe('keep');
    made.budgets.settle(held(first), ended(usage(1, 1)));
    await settled(generation, { 'team concurrent ann': 1, 'team concurrent bob': 1 });
    expect((await admit(made, generation, mine)).decision.action).toBe('keep');
    made.budgets.release(held(second));
    await settled(generation, { 'team concurrent ann': 1, 'team concurrent bob': 1 });
  });

  it('takes back the place of a request whose end nobody tells', async () => {
    const generation = policyOf('[{name: team, concurrent: 1}]');
    await admit(made, generation);
    clock.at += limits.slotMs - 1_000;
    expect((await admit(made, generation)).decision.reason).toBe('over-limit');
    if (kind === 'Redis') return;
    clock.at += 1_000;
    expect((await admit(made, generation)).decision.action).toBe('keep');
  });

  it('counts and refuses nothing where it is soft or the section only watches', async () => {
    const soft = policyOf('[{name: team, mode: soft, requests: {minute: 1}, concurrent: 1}]');
    await admit(made, soft);
    expect(await admit(made, soft)).toMatchObject({
      decision: { action: 'keep' },
      limits: [
        { kind: 'concurrent', action: 'over', used: 2 },
        { kind: 'requests', action: 'over', used: 2, max: 1 },
      ],
    });
    expect(made.actions).toEqual(['team concurrent over', 'team requests over']);
    const hard = policyOf('[{name: watched, requests: {minute: 1}}]');
    for (let i = 0; i < 3; i++) expect((await admit(made, hard, { enforce: false })).decision.action).toBe('keep');
    expect((await viewLimits(hard, made.budgets.store, { limit: null, rows: 9, now: noon })).limits).toMatchObject([
      { used: 3, ratio: 3, state: 'reached', mode: 'hard', resetsAt: '2026-11-21T12:01:00.000Z' },
    ]);
    expect(limitFigures(hard, made.budgets.store, noon)).toEqual([{ limit: 'watched', kind: 'requests', used: 3 }]);
  });

  it('is asked together with budgets: all of them take a request, or none', async () => {
    const generation = policyOf('[{name: slow, requests: {minute: 1}}]', 'budgets: [{name: team, period: day, usd: 1, hard: {}}]');
    const first = await admit(made, generation);
    expect([first.facts.length, first.limits.length]).toEqual([1, 1]);
    expect((await admit(made, generation)).decision).toMatchObject({ reason: 'over-limit', rule: 'slow' });
    expect((await made.budgets.store.list('team', generation.budgets[0]!.calendar.at(noon).start))[0]![1].reserved).toBe(0.001 * 1e9);
    const broke = policyOf('[{name: other, requests: {minute: 1}}]', 'budgets: [{name: poor, period: day, usd: 0.000001, hard: {}}]');
    expect((await admit(made, broke)).decision.reason).toBe('over-budget');
    expect(await used(made.budgets.store, broke)).toEqual({});
  });

  it('keeps callers apart and counts only what it is about', async () => {
    const generation = policyOf(
      '[{name: people, match: {workspace: [red]}, per: [user], requests: {minute: 1}}, {name: large, match: {model: [openai/gpt-large]}, requests: {minute: 2}}, {name: hard-work, match: {tier: [complex]}, requests: {minute: 3}}]',
    );
    const who = async (what: Asked): Promise<string | null> => (await admit(made, generation, what)).decision.rule;
    expect(await who({ user: 'ann' })).toBeNull();
    expect(await who({ user: 'ann' })).toBe('people');
    expect(await who({ user: 'bob' })).toBeNull();
    expect(await who({ user: 'eve' })).toBe('large');
    expect(await who({ user: 'eve', workspace: 'blue', model: 'gpt-small' })).toBeNull();
    expect(await who({ user: 'fay', workspace: 'blue', model: 'gpt-small' })).toBe('hard-work');
  });

  it('leaves other requests to models whose own limit is not reached', async () => {
    const generation = policyOf('[{name: middle, match: {model: [gpt-small]}, requests: {minute: 1}}]');
    await admit(made, generation, { model: 'gpt-small', tier: 'simple' });
    const decided = inputOf(generation, { tier: 'standard', tokens: 100 });
    const decision = decide({ ...decided, overLimit: made.budgets.overLimit(generation, { workspace: 'red', user: null })! });
    expect(decision).toMatchObject({ served: { model: 'gpt-middle' } });
    expect(decision.candidates.find(({ target }) => target.model === 'gpt-small')?.disqualified).toBe('over-limit');
    expect(made.budgets.overLimit(policyOf('[{name: all, requests: {minute: 1}}]'), { workspace: 'red', user: null })).toBeNull();
  });

  it('is never overrun, whatever comes at once', async () => {
    const generation = policyOf(
      '[{name: team, requests: {minute: 25}, tokens: {minute: 2000}, concurrent: 7}, {name: mine, per: [user], tokens: {minute: 800}, concurrent: 3}]',
    );
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('ask' as const),
        user: fc.constantFrom('ann', 'bob', 'eve'),
        tokens: fc.integer({ min: 1, max: 200 }),
      }),
      fc.record({ kind: fc.constant('end' as const), which: fc.nat(50), times: fc.integer({ min: 0, max: 2 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: kind === 'Redis' ? 60 : 200 }), async (steps) => {
        if (kind === 'Redis') await redis.flush();
        const own = bench(kind === 'Redis' ? made.budgets.store : await open());
        const onTheirWay: { admission: BudgetAdmission; tokens: number }[] = [];
        let beyond = 0;
        for (let from = 0; from < steps.length; from += 6) {
          const some = steps.slice(from, from + 6);
          const admissions = await Promise.all(some.map(async (each) => (each.kind === 'ask' ? admit(own, generation, each) : null)));
          for (const [at, each] of some.entries()) {
            const admission = admissions[at];
            if (each.kind === 'ask') {
              if (admission?.reservation !== null && admission !== null && admission !== undefined)
                onTheirWay.push({ admission, tokens: each.tokens });
            } else if (onTheirWay.length > 0) {
              const [{ admission: over, tokens }] = onTheirWay.splice(each.which % onTheirWay.length, 1) as [
                { admission: BudgetAdmission; tokens: number },
              ];
              beyond += Math.max(0, tokens * each.times - tokens);
              own.budgets.settle(held(over), ended(usage(tokens * each.times, 0)));
            }
          }
          const views = (await viewLimits(generation, own.budgets.store, { limit: null, rows: 100, now: noon })).limits;
          for (const view of views) expect(view.used).toBeLessThanOrEqual(view.max + (view.kind === 'tokens' ? beyond : 0));
          expect(views.find(({ limit, kind: what }) => limit === 'team' && what === 'concurrent')?.used).toBeLessThanOrEqual(7);
        }
        for (const { admission } of onTheirWay) own.budgets.release(held(admission));
        await expect
          .poll(async () => Object.keys(await used(own.budgets.store, generation)).filter((name) => name.includes('concurrent')))
          .toEqual([]);
      }),
      { numRuns: kind === 'Redis' ? 8 : 60 },
    );
  });
});

describe.skipIf(!redisThere)('replicas that share rate limits in a Redis', () => {
  beforeEach(() => redis.flush());

  it('let through exactly as many together', async () => {
    const generation = policyOf('[{name: team, requests: {hour: 20}, concurrent: 12}]');
    const replicas = await Promise.all([1, 2, 3].map(async () => bench(await redisStore())));
    const admissions = await Promise.all(Array.from({ length: 60 }, (_, at) => admit(replicas[at % 3]!, generation)));
    expect(admissions.filter(({ reservation }) => reservation !== null)).toHaveLength(12);
    for (const [at, { reservation }] of admissions.entries())
      if (reservation !== null) replicas[at % 3]!.budgets.settle(reservation, ended(usage(1, 1)));
    await expect.poll(() => used(replicas[0]!.budgets.store, generation)).toEqual({ 'team requests hour': 12 });
    const more = await Promise.all(Array.from({ length: 60 }, (_, at) => admit(replicas[at % 3]!, generation)));
    expect(more.filter(({ reservation }) => reservation !== null)).toHaveLength(8);
  });

  it('free the places of one that died when their lease ends, by the clock of Redis, and keep those of one that lives', async () => {
    const generation = policyOf('[{name: team, concurrent: 2}]');
    const [dies, lives] = [bench(await redisStore()), bench(await redisStore())];
    await admit(dies, generation);
    await dies.budgets.store.close();
    await admit(lives, generation);
    // This machine's clock says nothing: only that of Redis counts.
    clock.at += 365 * 86_400_000;
    expect((await admit(lives, generation)).decision.reason).toBe('over-limit');
    expect(await used(lives.budgets.store, generation)).toEqual({ 'team concurrent': 2 });
    const key = '{sluice:budgets}:l:limit/team/concurrent 0 []';
    expect(await redis.run((client) => client.pttl(key))).toBeGreaterThan(0);
    // As if a lease's time had passed: the living one has renewed its own by then.
    await redis.run(async (client) => {
      const [member] = await client.zrangebyscore(key, '-inf', '+inf');
      await client.zadd(key, '1', member!);
    });
    expect((await admit(lives, generation)).decision.action).toBe('keep');
    expect((await admit(lives, generation)).decision.reason).toBe('over-limit');
  });

  it('renew the places of requests that go on, also in a Redis that has forgotten them', async () => {
    const generation = policyOf('[{name: team, concurrent: 1}]');
    const leaseMs = 6_000;
    const [first, second] = [bench(await redisStore(leaseMs)), bench(await redisStore(leaseMs))];
    const long = await admit(first, generation);
    await redis.flush();
    await expect.poll(() => used(second.budgets.store, generation), { timeout: limits.slotLeaseMs / 2 }).toEqual({});
    const key = '{sluice:budgets}:l:limit/team/concurrent 0 []';
    await expect.poll(() => redis.run((client) => client.zcard(key)), { timeout: limits.slotLeaseMs / 2, interval: 250 }).toBe(1);
    expect((await admit(second, generation)).decision.reason).toBe('over-limit');
    first.budgets.settle(held(long), ended(usage(1, 1)));
    await expect.poll(async () => (await admit(second, generation)).decision.action).toBe('keep');
  });

  it('let requests go on while it is dead, and say so', async () => {
    const generation = policyOf('[{name: team, requests: {minute: 1}, concurrent: 1}]');
    const replica = bench(await redisStore());
    await redis.server.stop();
    const admissions = await Promise.all([1, 2, 3].map(() => admit(replica, generation)));
    expect(admissions.map(({ decision, limits: facts }) => [decision.action, facts.map(({ action }) => action)])).toEqual(
      Array(3).fill(['keep', ['uncounted', 'uncounted']]),
    );
    for (const admission of admissions) replica.budgets.settle(held(admission), ended(usage(1, 1)));
    await redis.server.restart();
    await expect.poll(async () => (await admit(replica, generation)).decision.reason, { timeout: 10_000 }).toBe('over-limit');
  });
});

describe('places among concurrent requests in memory', () => {
  it('are no part of what a later process goes on from', async () => {
    const store = new MemoryBudgetStore(now);
    const generation = policyOf('[{name: team, concurrent: 1, requests: {day: 5}}]');
    await admit(bench(store), generation);
    const later = new MemoryBudgetStore(now);
    later.restore(JSON.parse(JSON.stringify(store.snapshot())) as ReturnType<MemoryBudgetStore['snapshot']>);
    expect(await used(later, generation)).toEqual({ 'team requests day': 1 });
  });

  it('leave no counters behind: users come and go', async () => {
    const store = new MemoryBudgetStore(now);
    const generation = policyOf('[{name: team, per: [user], concurrent: 1}]');
    const made = bench(store);
    for (let i = 0; i < 50; i++) made.budgets.settle(held(await admit(made, generation, { user: `user-${i}` })), ended(usage(1, 1)));
    expect([...store.seen()]).toEqual([]);
  });
});

describe('the policy’s rate limits', () => {
  const problems = (text: string): string[] =>
    compile(`version: 1\ncallers: {believe: {workspace: gateway, user: gateway}}\nlimits: ${text}\n`).problems.map(
      ({ message }) => message,
    );

  it('are checked: names, matches, and numbers that others make idle', () => {
    expect(problems('[{name: a, requests: {minute: 1}}, {name: a, requests: {minute: 1}}]')).toEqual([
      expect.stringContaining('another rate limit called a'),
    ]);
    expect(problems('[{name: a}]')).toEqual([expect.stringContaining('say at least one of requests, tokens, concurrent')]);
    expect(problems('[{name: a, requests: {}}]')).toEqual([expect.stringContaining('say at least one of minute, hour, day')]);
    expect(problems('[{name: a, match: {workspace: ["*x"]}, requests: {minute: 1}}]')).toEqual([
      expect.stringContaining('matches no workspace'),
    ]);
    expect(problems('[{name: a, match: {model: [no-such]}, requests: {minute: 1}}]')).toEqual([
      expect.stringContaining('the catalog knows no model no-such'),
    ]);
    expect(problems('[{name: a, requests: {minute: 100, hour: 100, day: 5000}}]')).toEqual([
      expect.stringContaining('100 requests a minute are never reached: no more than 100 may come in a whole hour'),
    ]);
    expect(problems('[{name: a, concurrent: 50, requests: {day: 20}}]')).toEqual([
      expect.stringContaining('50 requests at once are never reached'),
    ]);
    expect(problems('[{name: a, mode: soft, message: "No.", requests: {day: 20}}]')).toEqual([expect.stringContaining('refuses nobody')]);
    expect(
      problems(
        '[{name: a, per: [user, model], requests: {minute: 10, hour: 100}, tokens: {day: 1000000}, concurrent: 3, message: "Slow down."}]',
      ),
    ).toEqual([]);
  });
});
