import { describe, expect, it } from 'vitest';
import { generation, input, provider, record, ref } from '../../test/support/decision.ts';
import { compiled } from '../../test/support/policy.ts';
import { limits } from '../lib/limits.ts';
import type { FallbackPolicy, PoolPick, TargetPool, TargetRef } from '../policy/types.ts';
import { decide } from './decide.ts';
import { explainRecord } from './explain.ts';
import { Pools } from './pools.ts';

const targets = ['a', 'b', 'c'].map((name) => ({ provider: name, model: 'm' }));
const poolOf = (pick: PoolPick, weights: readonly number[] = [1, 1, 1]): TargetPool => ({
  name: 'equal',
  pick,
  targets: targets.map((target, at) => ({ target, weight: weights[at]! })),
});

describe('a pool', () => {
  let now = 1_000_000;
  /** The same numbers in every run. */
  let seed = 7;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const make = (): Pools => new Pools(() => now, random);
  const names = (order: readonly { readonly target: TargetRef }[]): string => order.map(({ target }) => target.provider).join('');
  const counts = (firsts: readonly string[]): number[] => ['a', 'b', 'c'].map((name) => firsts.filter((first) => first === name).length);

  it('takes its members in turn, each as often as its weight says and spread out', () => {
    const pools = make();
    const pool = poolOf('round-robin', [3, 1, 2]);
    const firsts = Array.from({ length: 12 }, () => names(pools.order(pool, targets, false, ''))[0]!);
    expect(counts(firsts)).toEqual([6, 2, 4]);
    expect(firsts.join('')).not.toMatch(/aaa/);
    // A member that cannot be used leaves its turns to the others.
    expect(counts(Array.from({ length: 6 }, () => names(pools.order(pool, targets.slice(0, 2), false, ''))[0]!))[2]).toBe(0);
  });

  it('draws by weight, and the rest behind the first by weight too', () => {
    const pools = make();
    const orders = Array.from({ length: 6_000 }, () => names(pools.order(poolOf('weighted', [4, 1, 1]), targets, false, '')));
    const [a, b, c] = counts(orders.map((order) => order[0]!)).map((count) => count / 6_000);
    expect(a).toBeCloseTo(4 / 6, 1);
    expect(b).toBeCloseTo(1 / 6, 1);
    expect(c).toBeCloseTo(1 / 6, 1);
    expect(new Set(orders)).toHaveLength(6);
  });

  it('keeps what belongs together with one member, and moves little when a member goes', () => {
    const pools = make();
    const pool = poolOf('sticky');
    const sessions = Array.from({ length: 600 }, (_, at) => `session-${at}`);
    const before = sessions.map((session) => names(pools.order(pool, targets, false, session)));
    expect(sessions.map((session) => names(make().order(pool, targets, true, session)))).toEqual(before);
    for (const count of counts(before.map((order) => order[0]!))) expect(count).toBeGreaterThan(120);
    const without = sessions.map((session) => names(pools.order(pool, targets.slice(1), false, session)));
    expect(without).toEqual(before.map((order) => order.replace('a', '')));
  });

  it('takes the fastest, whose time it measures, and now and then one whose time is not known', () => {
    const pools = make();
    const pool = poolOf('least-latency');
    for (const [at, ms] of [300, 100, 200].entries()) pools.measured(targets[at]!, false, ms);
    expect(names(pools.order(pool, targets, false, ''))).toBe('bca');
    expect(pools.order(pool, targets, false, '').map(({ latencyMs }) => latencyMs)).toEqual([100, 200, 300]);
    // One slow answer is not the end of it, several are.
    pools.measured(targets[1]!, false, 400);
    expect(names(pools.order(pool, targets, false, ''))).toBe('bca');
    for (let slow = 0; slow < 4; slow++) pools.measured(targets[1]!, false, 400);
    expect(names(pools.order(pool, targets, false, ''))).toBe('cab');
    now += 61_000;
    pools.measured(targets[2]!, false, 200);
    // Their times are old: each gets one request to be measured again, and no more than one at a time.
    expect(['', '', ''].map(() => names(pools.order(pool, targets, false, ''))[0])).toEqual(['a', 'b', 'c']);
    // Of streams nothing is known yet.
    expect(pools.order(pool, targets, true, '').every(({ latencyMs }) => latencyMs === null)).toBe(true);
  });

  it('remembers a bounded number of targets', () => {
    const pools = make();
    for (let at = 0; at < limits.cooldownTargets + 5; at++) pools.measured({ provider: 'p', model: `m${at}` }, false, 1);
    const pool: TargetPool = {
      ...poolOf('least-latency'),
      targets: [0, limits.cooldownTargets].map((at) => ({ target: { provider: 'p', model: `m${at}` }, weight: 1 })),
    };
    expect(
      pools
        .order(
          pool,
          pool.targets.map(({ target }) => target),
          false,
          '',
        )
        .find(({ target }) => target.model === 'm0')?.latencyMs,
    ).toBeNull();
  });
});

describe('a decision with pools', () => {
  const policy = (fallback: string): FallbackPolicy =>
    compiled(
      `version: 1\nproviders: { twin: { dialect: openai, endpoint: "http://t", catalog: openai, credentialFile: /key } }\ndefaults: { allowProviders: [twin], fallback: { ${fallback} } }\n`,
    ).section('team', 'openai').fallback!;
  const twin = ref('twin/small');
  const providers = new Map(
    [provider('openai', {}), provider('twin', { catalogProvider: 'openai', credential: { file: '/key', type: 'key' } })].map((one) => [
      one.name,
      one,
    ]),
  );
  const fallback: FallbackPolicy = {
    ...policy('attempts: 4'),
    pools: [
      {
        name: 'small ones',
        pick: 'round-robin',
        targets: [
          { target: ref('small'), weight: 1 },
          { target: twin, weight: 1 },
        ],
      },
    ],
  };
  const decision = (
    pools: Pools,
    more: { readonly cooling?: (target: TargetRef) => boolean; readonly fallback?: Partial<FallbackPolicy>; readonly pinned?: string } = {},
  ) =>
    decide({
      ...input({
        generation: generation({ providers }),
        section: {
          allowProviders: new Set(['twin']),
          fallback: { ...fallback, ...more.fallback },
          candidates: { simple: [ref('small')], standard: [], complex: [] },
          pinned: new Set(more.pinned === undefined ? [] : [more.pinned]),
        },
      }),
      hasCredential: () => true,
      pools,
      ...(more.cooling === undefined ? {} : { cooling: more.cooling }),
    });
  const chain = ({ chain: list }: ReturnType<typeof decision>): string[] => list.map((target) => `${target.provider}/${target.model}`);

  it('takes any of the equal targets for the one that was chosen, the others next, and says so', () => {
    const pools = new Pools();
    const [first, second] = [decision(pools), decision(pools)];
    expect([chain(first), chain(second)]).toEqual([
      ['openai/small', 'twin/small'],
      ['twin/small', 'openai/small'],
    ]);
    expect(second).toMatchObject({ action: 'route', reason: 'tier', served: twin, pool: { pool: 'small ones', pick: 'round-robin' } });
    expect(second.pool?.order.map(({ target }) => target)).toEqual([twin, ref('small')]);
  });

  it('passes over a member that rests without calling that a change of mind', () => {
    const rested = decision(new Pools(), { cooling: (target) => target.provider === 'openai' });
    expect(chain(rested)).toEqual(['twin/small']);
    expect(rested.reason).toBe('tier');
  });

  it('opens pools further down the chain too, and none of them twice', () => {
    const all = decision(new Pools(), {
      fallback: {
        tierChains: { simple: [ref('large'), twin], standard: [], complex: [] },
        pools: [
          ...fallback.pools,
          {
            name: 'large ones',
            pick: 'weighted',
            targets: [
              { target: ref('large'), weight: 1e-9 },
              { target: ref('twin/large'), weight: 1_000 },
            ],
          },
        ],
      },
    });
    expect(chain(all)).toEqual(['openai/small', 'twin/small', 'twin/large', 'openai/large']);
  });

  it('leaves what an app pins where it is', () => {
    expect(chain(decision(new Pools(), { pinned: 'dear' }))).toEqual(['openai/dear']);
  });

  it('is told in words', () => {
    const pools = new Pools();
    pools.measured(twin, false, 41.6);
    expect(
      explainRecord({
        ...record(),
        decision: decision(pools, {
          fallback: {
            pools: fallback.pools.map((pool) => ({
              ...pool,
              pick: 'least-latency' as const,
              targets: pool.targets.map((one, at) => ({ ...one, weight: at + 1 })),
            })),
          },
        }),
      }),
    ).toContain('  pool        small ones (least-latency): openai/small; twin/small 42 ms, weight 2');
  });
});

describe('pools in a policy', () => {
  const pools = (text: string) =>
    compiled(`version: 1\ndefaults: { fallback: { pools: [${text}] } }\n`).section('team', 'openai').fallback?.pools;

  it('have equal weights unless they say more, and want two members', () => {
    expect(pools('{ name: p, targets: [gpt-small, gpt-large] }')).toEqual([
      {
        name: 'p',
        pick: 'weighted',
        targets: [
          { target: ref('gpt-small'), weight: 1 },
          { target: ref('gpt-large'), weight: 1 },
        ],
      },
    ]);
    expect(pools('{ name: p, targets: [gpt-small, gpt-large], weights: [3, 1], pick: sticky }')?.[0]).toMatchObject({
      pick: 'sticky',
      targets: [{ weight: 3 }, { weight: 1 }],
    });
    expect(() => pools('{ name: p, targets: [gpt-small] }')).toThrow();
    expect(() => pools('{ name: p, targets: [gpt-small, gpt-large], weights: [1] }')).toThrow(/weight/);
  });
});
