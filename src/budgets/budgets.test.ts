import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { admit, attempt, BudgetRedis, held, inputOf, nextId, type Asked } from '../../test/support/budgets.ts';
import { exchange, record } from '../../test/support/decision.ts';
import { compile, compiled, short } from '../../test/support/policy.ts';
import { redisThere } from '../../test/support/redis.ts';
import type { Cost } from '../catalog/types.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { AttemptRecord } from '../record/types.ts';
import { decide } from '../route/decide.ts';
import { Budgets, type BudgetAdmission, type BudgetEvent } from './budgets.ts';
import { BudgetFile } from './file.ts';
import { MemoryBudgetStore } from './memory.ts';
import { RedisBudgetStore } from './redis.ts';
import { nano, nanoUsd } from '../policy/budget-types.ts';
import { type BudgetStore } from './types.ts';
import { budgetFigures, viewBudgets } from './view.ts';

const noon = Date.UTC(2026, 10, 21, 12);
const routed = 'defaults: {candidates: {simple: [gpt-small], standard: [gpt-middle], complex: [gpt-large]}}\n';
const policyOf = (budgets: string): PolicySnapshot => compiled(`version: 1\n${routed}budgets: ${budgets}\n`);

interface Bench {
  readonly budgets: Budgets;
  readonly events: BudgetEvent[];
  readonly actions: string[];
  at: number;
}

function bench(store: BudgetStore): Bench {
  const events: BudgetEvent[] = [];
  const actions: string[] = [];
  const made = { budgets: null as unknown as Budgets, events, actions, at: noon };
  made.budgets = new Budgets({
    store,
    now: () => made.at,
    onEvent: (event) => events.push(event),
    onAction: (budget, action) => actions.push(`${budget} ${action}`),
    onLimit: () => undefined,
  });
  return made;
}

const usd = (amount: number): Cost => ({ known: true, usd: amount });
const ended = (workspace: string, ...attempts: AttemptRecord[]): Parameters<Budgets['settle']>[1] => ({
  workspace,
  attempts,
  usage: null,
  cost: attempts.at(-1)?.cost ?? usd(0),
  status: 200,
});
const left = async (store: BudgetStore, generation: PolicySnapshot, at = noon) =>
  (await viewBudgets(generation, store, { budget: null, limit: 100, now: at })).budgets.map(
    ({ budget, of, spentUsd, reservedUsd, state }) => [
      budget,
      Object.values(of).join('/'),
      Number(spentUsd.toFixed(6)),
      Number(reservedUsd.toFixed(6)),
      state,
    ],
  );

const redis = new BudgetRedis();
const redisStore = (deadlineMs = 5_000): Promise<RedisBudgetStore> => redis.open({ deadlineMs, now: () => noon });

beforeAll(() => redis.start());
afterEach(() => redis.closeStores());
afterAll(() => redis.remove());

const stores: readonly (readonly [string, () => Promise<BudgetStore> | BudgetStore])[] = [
  ['memory', () => new MemoryBudgetStore(() => noon)],
  ...(!redisThere ? [] : [['Redis', () => redisStore()] as const]),
];

type CallRequest = Parameters<Budgets['admitCall']>[0];
const callOf = (
  generation: PolicySnapshot,
  what: Partial<Omit<CallRequest, 'caller'>> & { readonly workspace?: string } = {},
): CallRequest => ({
  id: nextId(),
  generation,
  caller: { workspace: what.workspace ?? 'red', user: null },
  target: null,
  enforce: true,
  free: false,
  contains: 1,
  endless: false,
  ...what,
});
const unknownEnd = { ...ended('red'), cost: { known: false, reason: 'usage' } as const };

describe.each(stores)('a call whose cost nobody can tell beforehand, in %s', (kind, open) => {
  let made: Bench;
  beforeEach(async () => {
    if (kind === 'Redis') await redis.flush();
    made = bench(await open());
  });
  /** Waits until the store has heard of the call. */
  const call = async (request: CallRequest): Promise<ReturnType<Budgets['admitCall']>> => {
    const admission = made.budgets.admitCall(request);
    await admission.reservation?.asked;
    return admission;
  };

  it('counts as the unknown amount of each budget that can be about it, and is refused when that does not fit', async () => {
    const generation = policyOf(
      '[{name: hard, match: {workspace: [red]}, per: [workspace], period: day, usd: 0.12, hard: {}}, {name: soft, period: day, usd: 0.01}, {name: large, match: {model: [openai/gpt-large]}, period: day, usd: 0.05, hard: {}}, {name: tier, match: {tier: [standard]}, period: day, usd: 0.01, hard: {}}]',
    );
    const first = await call(callOf(generation));
    expect(first.facts.map(({ budget, action, reserved }) => [budget, action, reserved])).toEqual([
      ['hard', 'counted', 0.05],
      ['soft', 'counted', 0.05],
    ]);
    made.budgets.settle(first.reservation!, unknownEnd);
    await expect.poll(() => left(made.budgets.store, generation)).toContainEqual(['hard', 'red', 0.05, 0, 'ok']);
    expect((await call(callOf(generation))).refused).toBeNull();
    expect((await call(callOf(generation))).refused).toMatchObject({ kind: 'budget', retryAfterSeconds: 43_200 });
    expect((await call(callOf(generation, { enforce: false }))).refused).toBeNull();
    expect((await call(callOf(generation, { workspace: 'blue' }))).refused).toBeNull();
    const large = { workspace: 'blue', target: { provider: 'openai', model: 'gpt-large' } };
    expect((await call(callOf(generation, large))).refused).toBeNull();
    expect((await call(callOf(generation, large))).refused?.message).toContain('The budget large is used up until');
    expect(made.actions).toContain('hard refused');
    expect(made.actions).toContain('hard assumed');
  });

  it('costs nothing if the provider refused it, as many times as much as a batch holds, and what is free costs nothing', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 1, hard: {}}]');
    const [failed, batch, file] = await Promise.all([
      call(callOf(generation)),
      call(callOf(generation, { contains: 8 })),
      call(callOf(generation, { free: true })),
    ]);
    expect([failed, batch, file].map(({ facts }) => facts[0]?.reserved)).toEqual([0.05, 0.4, 0]);
    made.budgets.settle(failed.reservation!, { ...unknownEnd, status: 429 });
    made.budgets.settle(batch.reservation!, unknownEnd);
    made.budgets.settle(file.reservation!, unknownEnd);
    await expect.poll(() => left(made.budgets.store, generation)).toEqual([['team', '', 0.4, 0, 'ok']]);
    const most = await call(callOf(generation, { contains: 12 }));
    made.budgets.settle(most.reservation!, unknownEnd);
    await expect.poll(() => left(made.budgets.store, generation)).toEqual([['team', '', 1, 0, 'used-up']]);
    expect((await call(callOf(generation, { free: true }))).refused).not.toBeNull();
  });

  it('is refused by a budget that takes nothing of unknown price, unless it is free', async () => {
    const generation = policyOf('[{name: strict, period: day, usd: 1, unknown: refuse, hard: {}}]');
    expect((await call(callOf(generation))).refused?.message).toContain('is unknown');
    expect((await call(callOf(generation, { free: true }))).refused).toBeNull();
  });
});

describe.each(stores)('a budget in %s', (kind, open) => {
  let made: Bench;
  beforeEach(async () => {
    if (kind === 'Redis') await redis.flush();
    made = bench(await open());
  });

  it('sets aside what a request is expected to cost, and settles what it did cost', async () => {
    const generation = policyOf('[{name: team, period: month, usd: 1, hard: {}}]');
    const admission = await admit(made, generation);
    expect(admission.decision).toMatchObject({ action: 'keep', served: { model: 'gpt-large' } });
    expect(admission.facts).toEqual([{ budget: 'team', of: {}, action: 'counted', reserved: 0.01, used: 0.01, limit: 1 }]);
    expect(await left(made.budgets.store, generation)).toEqual([['team', '', 0, 0.01, 'ok']]);
    made.budgets.settle(held(admission), ended('red', attempt('gpt-large', usd(0.03))));
    await expect.poll(() => left(made.budgets.store, generation)).toEqual([['team', '', 0.03, 0, 'ok']]);
  });

  it('refuses what does not fit, with the caller’s own quota error and the time until it starts again', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.025, hard: {}, soft: {at: [1000]}}]');
    const first = await admit(made, generation);
    await admit(made, generation);
    // Two on their way hold all of it.
    expect((await admit(made, generation)).decision).toMatchObject({
      action: 'block',
      reason: 'over-budget',
      rule: 'team',
      block: { status: 429, retryAfterSeconds: 5 },
    });
    made.budgets.settle(held(first), ended('red', attempt('gpt-large', usd(0.02))));
    await expect.poll(async () => (await admit(made, generation)).decision.block?.retryAfterSeconds).toBe(12 * 3600);
    expect((await admit(made, generation)).decision.block?.message).toBe('The budget team is used up until 2026-11-22T00:00:00.000Z.');
    await expect.poll(() => made.events.map(({ kind: event }) => event)).toEqual(['refused']);
    expect(made.actions.every((action) => action === 'team refused')).toBe(true);
  });

  it('moves requests to a cheaper tier first, and says so once', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.0402, hard: {cheaper: simple, cheaperAt: 50}}]');
    const models: string[] = [];
    for (let i = 0; i < 6; i++) {
      const { decision } = await admit(made, generation);
      models.push(decision.action === 'block' ? 'refused' : `${decision.served.model} ${decision.reason}`);
    }
    expect(models).toEqual(['gpt-large kept-cheapest', 'gpt-large kept-cheapest', ...Array<string>(4).fill('gpt-small budget')]);
    await expect.poll(() => made.events.map(({ kind: event }) => event)).toEqual(['cheaper']);
    expect(made.actions).toEqual(Array(4).fill('team cheaper'));
    // Where nothing is cheaper the rest of the budget is for the request as it is.
    expect((await admit(made, generation, { model: 'gpt-small', tier: 'simple' })).decision).toMatchObject({ action: 'keep' });
    // A caller that switched routing off is refused rather than moved.
    expect((await admit(made, generation, { routeOff: true, tokens: 2_000 })).decision).toMatchObject({ action: 'block' });
    for (let i = 0; i < 20; i++) await admit(made, generation);
    expect((await admit(made, generation)).decision).toMatchObject({ action: 'block', reason: 'over-budget' });
  });

  it('caps what requests ask for before it refuses them, with or without a cheaper tier', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.03, hard: {shape: {maxOutputTokens: 100}, cheaperAt: 50}}]');
    const caps: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      const { decision, facts } = await admit(made, generation);
      caps.push([decision.action, decision.shape?.by, facts.map(({ action }) => action)]);
    }
    expect(caps).toEqual([
      ['keep', undefined, ['counted']],
      ['keep', ['budget team'], ['cheaper', 'counted']],
      ['keep', ['budget team'], ['cheaper', 'counted']],
      ['block', undefined, ['refused']],
    ]);
    expect(made.actions).toEqual(['team cheaper', 'team cheaper', 'team refused']);
  });

  it('keeps callers apart where it says so, and counts only what it is about', async () => {
    const generation = policyOf(
      '[{name: people, match: {workspace: [red, "blue-*"]}, per: [workspace, user], period: week, usd: 0.015, hard: {}}, {name: large, match: {model: [gpt-large]}, period: day, usd: 1}, {name: hard-work, match: {tier: [complex]}, per: [tier], period: month, usd: 1}]',
    );
    const who = async (what: Asked): Promise<string> => (await admit(made, generation, what)).decision.action;
    expect(await who({ user: 'ann' })).toBe('keep');
    expect(await who({ user: 'ann' })).toBe('block');
    expect(await who({ user: 'bob' })).toBe('keep');
    expect(await who({ user: 'ann', workspace: 'blue-1' })).toBe('keep');
    expect(await who({ user: 'ann', workspace: 'green' })).toBe('keep');
    expect(await who({ user: 'ann', workspace: 'green', model: 'gpt-middle', tier: 'standard' })).toBe('keep');
    expect((await left(made.budgets.store, generation)).sort()).toEqual([
      ['hard-work', 'complex', 0, 0.04, 'ok'],
      ['large', '', 0, 0.04, 'ok'],
      ['people', 'blue-1/ann', 0, 0.01, 'ok'],
      ['people', 'red/ann', 0, 0.01, 'ok'],
      ['people', 'red/bob', 0, 0.01, 'ok'],
    ]);
  });

  it('reserves in all of its budgets or in none', async () => {
    const generation = policyOf('[{name: wide, period: day, usd: 1, hard: {}}, {name: tight, period: day, usd: 0.005, hard: {}}]');
    expect((await admit(made, generation)).decision).toMatchObject({ action: 'block', rule: 'tight' });
    expect((await left(made.budgets.store, generation)).map(([, , , reserved]) => reserved)).toEqual([0, 0]);
  });

  it('that is lowered below what is spent tells people once, and of several thresholds the highest', async () => {
    const before = policyOf('[{name: team, period: day, usd: 0.1, soft: {at: [50, 80, 100]}}]');
    made.budgets.settle(held(await admit(made, before)), ended('red', attempt('gpt-large', usd(0.06))));
    await expect.poll(() => made.events.map(({ percent }) => percent)).toEqual([50]);
    const lowered = policyOf('[{name: team, period: day, usd: 0.05, soft: {at: [50, 80, 100]}}]');
    for (let request = 0; request < 3; request++)
      made.budgets.settle(held(await admit(made, lowered)), ended('red', attempt('gpt-large', usd(0.001))));
    await expect.poll(() => made.events.map(({ percent }) => percent)).toEqual([50, 100]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(made.events.map(({ percent }) => percent)).toEqual([50, 100]);
  });

  it('tells of a threshold once a period, and counts without refusing where it is soft', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.02, soft: {at: [100, 50, 150]}}]');
    for (let i = 0; i < 5; i++) made.budgets.settle(held(await admit(made, generation)), ended('red', attempt('gpt-large', usd(0.007))));
    await expect.poll(() => made.events.map(({ percent }) => percent)).toEqual([50, 100, 150]);
    expect(made.events[0]).toMatchObject({ kind: 'threshold', budget: { name: 'team' }, state: { spent: 0.014 * nano } });
    expect(await left(made.budgets.store, generation)).toEqual([['team', '', 0.035, 0, 'used-up']]);
  });

  it('counts what is unknown by a rule, never as nothing', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 1, unknown: 0.2, hard: {}}]');
    const spent = async (what: Asked, ...attempts: AttemptRecord[]): Promise<unknown> => {
      const before = Number((await left(made.budgets.store, generation))[0]![2]);
      made.budgets.settle(held(await admit(made, generation, what)), ended('red', ...attempts));
      let after: (string | number)[] = [];
      await expect.poll(async () => (after = (await left(made.budgets.store, generation))[0] as (string | number)[])[3]).toBe(0);
      return Number((Number(after[2]) - before).toFixed(6));
    };
    // A price that nobody knows: what the policy says.
    expect(await spent({ model: 'gpt-unpriced', tier: 'complex' }, attempt('gpt-unpriced', { known: false, reason: 'price' }))).toBe(0.2);
    // Usage that was not seen: what was set aside.
    expect(await spent({}, attempt('gpt-large', { known: false, reason: 'usage' }, null))).toBe(0.01);
    // An error answer is billed by nobody; what came before the answer counts with its answer.
    expect(await spent({}, attempt('gpt-large', { known: false, reason: 'usage' }, 500))).toBe(0);
    expect(await spent({}, attempt('gpt-large', { known: false, reason: 'attempt' }, null), attempt('gpt-small', usd(0.001)))).toBe(0.011);
    // What went by of a stream that was cut counts where it is more than what was set aside.
    expect(await spent({}, attempt('gpt-large', { known: false, reason: 'usage', atLeastUsd: 0.07 }))).toBe(0.07);
    expect(await spent({}, attempt('gpt-large', { known: false, reason: 'usage', atLeastUsd: 0.002 }))).toBe(0.01);
    expect(made.actions).toEqual(Array(5).fill('team assumed'));
    const strict = policyOf('[{name: team, period: day, usd: 1, unknown: refuse, hard: {}}]');
    expect((await admit(made, strict, { model: 'gpt-unpriced' })).decision).toMatchObject({ action: 'block', block: { status: 429 } });
    expect((await admit(made, strict)).decision.action).toBe('keep');
  });

  it('books a fallback’s attempts where they belong', async () => {
    const generation = policyOf('[{name: each, per: [model], period: day, usd: 1}]');
    made.budgets.settle(
      held(await admit(made, generation)),
      ended('red', attempt('gpt-large', usd(0.004)), attempt('gpt-small', usd(0.001))),
    );
    await expect
      .poll(async () => (await left(made.budgets.store, generation)).sort())
      .toEqual([
        ['each', 'openai/gpt-large', 0.004, 0, 'ok'],
        ['each', 'openai/gpt-small', 0.001, 0, 'ok'],
      ]);
  });

  it('gives back what never left, and asks nothing in shadow mode or of a token count', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.015, hard: {cheaper: simple}}]');
    made.budgets.release(held(await admit(made, generation)));
    await expect.poll(() => left(made.budgets.store, generation)).toEqual([['team', '', 0, 0, 'ok']]);
    for (let i = 0; i < 3; i++) expect((await admit(made, generation, { enforce: false })).decision.action).toBe('keep');
    expect(await left(made.budgets.store, generation)).toEqual([['team', '', 0, 0.03, 'used-up']]);
    const counting = inputOf(generation, {});
    const counted = { ...counting, exchange: { ...counting.exchange, operation: 'count' as const } };
    expect(
      await made.budgets.admit({ id: 'count', input: counted, decision: decide(counted), user: null, enforce: true, cheaper: null }),
    ).toMatchObject({ facts: [], reservation: null });
  });

  it('is never overrun by more than the requests on their way cost beyond their estimates', async () => {
    const generation = policyOf(
      '[{name: team, period: day, usd: 0.1, hard: {}}, {name: mine, per: [user], period: day, usd: 0.04, hard: {cheaper: simple}}]',
    );
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('ask' as const),
        user: fc.constantFrom('ann', 'bob', 'eve'),
        tokens: fc.integer({ min: 1, max: 3_000 }),
      }),
      fc.record({ kind: fc.constant('end' as const), which: fc.nat(50), times: fc.double({ min: 0, max: 3, noNaN: true }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: kind === 'Redis' ? 60 : 150 }), async (steps) => {
        if (kind === 'Redis') await redis.flush();
        const own = bench(kind === 'Redis' ? made.budgets.store : await open());
        const onTheirWay: { admission: BudgetAdmission }[] = [];
        let beyond = 0;
        // Asked for at once, as many requests are.
        for (let from = 0; from < steps.length; from += 5) {
          const some = steps.slice(from, from + 5);
          const admissions = await Promise.all(
            some.map(async (each) => (each.kind === 'ask' ? admit(own, generation, { user: each.user, tokens: each.tokens }) : null)),
          );
          for (const [at, admission] of admissions.entries()) {
            const each = some[at]!;
            if (admission !== null && admission.reservation !== null && each.kind === 'ask') onTheirWay.push({ admission });
            if (each.kind !== 'end' || onTheirWay.length === 0) continue;
            const [ending] = onTheirWay.splice(each.which % onTheirWay.length, 1);
            const over = ending!.admission;
            const { estimate, served } = over.decision;
            const reserved = estimate.known ? estimate.usd : 0;
            beyond += Math.max(0, reserved * each.times - reserved);
            own.budgets.settle(held(over), ended('red', attempt(served.model, usd(reserved * each.times))));
          }
          const states = await left(own.budgets.store, generation);
          for (const [name, , spent, reserved] of states)
            expect(Number(spent) + Number(reserved)).toBeLessThanOrEqual((name === 'team' ? 0.1 : 0.04) + beyond + 1e-5);
        }
        // Nothing stays set aside when all is over.
        for (const { admission } of onTheirWay) own.budgets.release(held(admission));
        await expect
          .poll(async () =>
            (await left(own.budgets.store, generation)).map(([, , , reserved]) => reserved).every((reserved) => reserved === 0),
          )
          .toBe(true);
      }),
      { numRuns: kind === 'Redis' ? 8 : 60 },
    );
  });

  it('starts again with its period, and settles a late answer where it was reserved', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.015, hard: {}}]');
    const late = held(await admit(made, generation));
    expect((await admit(made, generation)).decision.action).toBe('block');
    made.at = noon + 86_400_000;
    expect((await admit(made, generation)).decision.action).toBe('keep');
    made.budgets.settle(late, ended('red', attempt('gpt-large', usd(0.01))));
    await expect.poll(() => left(made.budgets.store, generation)).toEqual([['team', '', 0.01, 0, 'ok']]);
    expect(await left(made.budgets.store, generation, made.at)).toEqual([['team', '', 0, 0.01, 'ok']]);
  });
});

describe.skipIf(!redisThere)('replicas with a Redis', () => {
  beforeEach(() => redis.flush());

  it('share one amount, to the last request, and one message', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.1, hard: {}, soft: {at: [50]}}]');
    const replicas = await Promise.all([1, 2, 3].map(async () => bench(await redisStore())));
    const admissions = await Promise.all(Array.from({ length: 60 }, async (_, at) => admit(replicas[at % 3]!, generation)));
    expect(admissions.filter(({ reservation }) => reservation !== null)).toHaveLength(10);
    admissions.forEach((admission, at) => {
      if (admission.reservation !== null)
        replicas[at % 3]!.budgets.settle(admission.reservation, ended('red', attempt('gpt-large', usd(0.01))));
    });
    await expect.poll(() => left(replicas[0]!.budgets.store, generation)).toEqual([['team', '', 0.1, 0, 'used-up']]);
    await expect.poll(() => replicas.flatMap(({ events }) => events.map(({ kind }) => kind)).sort()).toEqual(['refused', 'threshold']);
  });

  it('let requests go on while it is dead, count that, and add what was spent when it is back', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.015, hard: {}}]');
    const replica = bench(await redisStore());
    const before = held(await admit(replica, generation));
    await redis.server.stop();
    const admissions = await Promise.all([1, 2, 3].map(async () => admit(replica, generation)));
    expect(admissions.map(({ decision, facts }) => [decision.action, facts[0]?.action])).toEqual(Array(3).fill(['keep', 'uncounted']));
    expect(redis.problems.length).toBeGreaterThanOrEqual(3);
    for (const admission of admissions) replica.budgets.settle(held(admission), ended('red', attempt('gpt-large', usd(0.01))));
    replica.budgets.settle(before, ended('red', attempt('gpt-large', usd(0.01))));
    await redis.server.restart();
    // This Redis kept nothing: what was reserved before is gone with it.
    await expect.poll(() => left(replica.budgets.store, generation), { timeout: 10_000 }).toEqual([['team', '', 0.03, 0, 'used-up']]);
    await expect.poll(async () => (await admit(replica, generation)).decision.action).toBe('block');
  });

  it.each([-20, 20])('keep what was spent where their clocks and that of Redis are %i years apart', async (years) => {
    const at = noon + years * 365 * 86_400_000;
    const generation = policyOf('[{name: team, period: day, usd: 0.02, hard: {}}]');
    const [first, second] = await Promise.all([1, 2].map(async () => bench(await redisStore())));
    for (const replica of [first!, second!]) replica.at = at;
    first!.budgets.settle(held(await admit(first!, generation)), ended('red', attempt('gpt-large', usd(0.015))));
    await expect.poll(async () => (await admit(second!, generation)).decision.action).toBe('block');
  });

  it('count what a replica that died had on its way as spent', async () => {
    const store = await redisStore();
    const [charge] = held(await admit(bench(store), policyOf('[{name: team, period: day, usd: 1, hard: {}}]'))).charges;
    const later = await redis.open({ now: () => noon + 2 * 3_600_000 });
    expect(await later.reserve('next', [charge!])).toMatchObject({ ok: true, states: [{ spent: 0.01 * nano, reserved: 0.01 * nano }] });
  });
});

describe('a process’s budgets on disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-budgets-'));
  const path = join(folder, 'deep', 'budgets.json');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('outlive it: what was spent, what was on its way, and what was told', async () => {
    const generation = policyOf('[{name: team, period: day, usd: 0.05, hard: {}, soft: {at: [10]}}]');
    const errors: unknown[] = [];
    const store = new MemoryBudgetStore(() => noon);
    const file = new BudgetFile(path, store, (error) => errors.push(error));
    const first = bench(store);
    first.budgets.settle(held(await admit(first, generation)), ended('red', attempt('gpt-large', usd(0.01))));
    await admit(first, generation);
    await file.close();
    const again = new MemoryBudgetStore(() => noon);
    await new BudgetFile(path, again, (error) => errors.push(error)).close();
    expect(await left(again, generation)).toEqual([['team', '', 0.02, 0, 'soft']]);
    const second = bench(again);
    second.budgets.settle(held(await admit(second, generation)), ended('red', attempt('gpt-large', usd(0.01))));
    expect([first.events.length, second.events.length]).toEqual([1, 0]);
    expect(errors).toEqual([]);
  });

  it('of a damaged file are set aside and said, and what can be read goes on', async () => {
    const good = { id: 'team 0 []', budget: 'team', values: [], start: 0, end: 1, spent: 5, told: [] };
    const texts = [
      `{"version":1,"counters":[{"id":1},${JSON.stringify(good)},${JSON.stringify({ ...good, spent: null })},${JSON.stringify({ ...good, spent: -1 })}]}`,
      'half of a fi',
      '{}',
      'null',
    ];
    mkdirSync(dirname(path), { recursive: true });
    for (const text of texts) {
      writeFileSync(path, text);
      const errors: { readonly code?: string; readonly where?: string }[] = [];
      const store = new MemoryBudgetStore();
      await new BudgetFile(path, store, (error) => errors.push(error as object)).close();
      expect(errors).toMatchObject([{ code: 'SLUICE_BUDGETS_DAMAGED' }]);
      expect(readFileSync(errors[0]!.where!, 'utf8')).toBe(text);
      expect(existsSync(path)).toBe(false);
      expect(store.snapshot()).toEqual(text === texts[0] ? [good] : []);
    }
  });

  it('take no amount that is no number', () => {
    const store = new MemoryBudgetStore();
    const counter = { id: 'a', budget: 'a', values: [], start: 0, end: 1 };
    for (const amount of [NaN, -1, -Infinity])
      expect(store.reserve('x', [{ counter, amount, ceiling: Infinity }])).toMatchObject({ ok: false, state: { spent: 0, reserved: 0 } });
    expect([NaN, -1, -1e308, 1e308, Infinity, 1e-9].map(nanoUsd)).toEqual([0, 0, 0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 1]);
  });
});

describe('budgets in a policy', () => {
  it('are checked', () => {
    const problems = (budgets: string, more = ''): string[] =>
      compile(`version: 1\ncallers: {believe: {workspace: gateway, user: gateway}}\n${more}budgets: ${budgets}\n`).problems.map(short);
    expect(problems('[{name: a, period: day, usd: 1}, {name: a, period: day, usd: 1}]')).toEqual([expect.stringContaining('twice')]);
    expect(
      problems('[{name: a, period: day, usd: 1, soft: {notify: [opps]}}]', 'webhooks: {ops: {url: "https://example.test/x"}}\n'),
    ).toEqual([expect.stringContaining('unknown-webhook')]);
    expect(problems('[{name: a, period: day, usd: 1, zone: Europe/Berln}]')).toEqual([expect.stringContaining('time-zone')]);
    expect(problems('[{name: a, period: day, usd: 1, unknown: refuse}]')).toEqual([expect.stringContaining('no-effect')]);
    expect(problems('[{name: a, period: day, usd: 1, match: {workspace: ["a*b"]}}]')).toEqual([expect.stringContaining('unreachable')]);
    expect(problems('[{name: a, period: day, usd: 1, match: {model: [gpt-smal]}}]')).toEqual([expect.stringContaining('unknown-model')]);
    expect(problems('[{name: a, period: year, usd: 1}]')).toEqual([expect.stringContaining('budgets[0].period')]);
    expect(problems('[]', 'webhooks: {ops: {url: "https://hooks.slack.com/services/T0000/B0000/abcdefghijkl"}}\n')).toEqual([
      expect.stringContaining('secret'),
    ]);
    expect(
      problems(
        '[{name: a, match: {model: [openai/gpt-small], tier: [simple], workspace: ["a-*"]}, per: [user], period: week, zone: Europe/Berlin, usd: 1, hard: {cheaper: simple}}]',
      ),
    ).toEqual([]);
  });

  it('a model whose own budget is used up is left out of the choice', async () => {
    const generation = policyOf('[{name: small, match: {model: [gpt-small]}, period: day, usd: 0.001, hard: {}}]');
    const store = new MemoryBudgetStore(() => noon);
    const made = bench(store);
    expect((await admit(made, generation, { tier: 'simple' })).decision.served.model).toBe('gpt-small');
    const decided = inputOf(generation, { tier: 'simple' });
    const decision = decide({ ...decided, overBudget: made.budgets.overBudget(generation, { workspace: 'red', user: null })! });
    expect(decision).toMatchObject({ served: { model: 'gpt-middle' }, candidates: [{ disqualified: 'over-budget' }, { chosen: true }] });
    expect(made.budgets.overBudget(policyOf('[{name: all, period: day, usd: 1}]'), { workspace: 'red', user: null })).toBeNull();
  });

  it('a cheaper tier moves no sensitive and no pinned request', () => {
    const generation = compiled(
      `version: 1\n${routed.replace('{candidates', '{pinned: [gpt-middle], sensitivity: [{name: ids, pattern: "secret", then: {model: gpt-large}}], candidates')}`,
    );
    const cheaper = { tier: 'simple' as const, shape: null, budget: 'team' };
    const of = (facts: Parameters<typeof exchange>[0], sensitive = false) =>
      decide({ ...inputOf(generation, {}), sensitive: [sensitive], exchange: exchange({ model: 'gpt-large', ...facts }), cheaper });
    expect(of({ lastUser: 'a secret' }, true)).toMatchObject({ reason: 'sensitivity', served: { model: 'gpt-large' } });
    expect(of({ model: 'gpt-middle' })).toMatchObject({ reason: 'pinned', served: { model: 'gpt-middle' } });
    const moved = of({});
    expect(moved).toMatchObject({ reason: 'budget', rule: 'team', served: { model: 'gpt-small' }, tier: 'simple' });
    expect(moved.candidates.filter(({ chosen }) => chosen)).toHaveLength(1);
  });
});

it('figures name the fullest counter', async () => {
  const generation = policyOf(
    '[{name: mine, per: [user], period: day, usd: 0.1}, {name: idle, match: {workspace: [blue]}, period: day, usd: 5}]',
  );
  const made = bench(new MemoryBudgetStore(() => noon));
  for (const user of ['ann', 'ann', 'bob']) await admit(made, generation, { user });
  expect(budgetFigures(generation, made.budgets.store, noon)).toMatchObject([
    { budget: 'mine', counters: 2, used: 0.2, elapsed: 0.5, limitUsd: 0.1 },
    { budget: 'idle', counters: 0, used: 0, limitUsd: 5 },
  ]);
  expect(record().budgets).toEqual([]);
});
