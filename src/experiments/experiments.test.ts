import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generation, input, record, ref } from '../../test/support/decision.ts';
import { catalog, compile, compiled, short } from '../../test/support/policy.ts';
import { redisThere, TestRedis } from '../../test/support/redis.ts';
import { seeded } from '../router/training/random.ts';
import type { LivePolicyStore, PolicySnapshot } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { decide } from '../route/decide.ts';
import { position, takesPart, unitOf } from './assign.ts';
import { Comparison } from './comparison.ts';
import { defaultComparison, type RolloutPolicy } from '../policy/experiment-types.ts';
import { Fleet } from './fleet.ts';
import { normalDensity, normalQuantile } from './normal.ts';
import { Pairing } from './pairing.ts';
import { RolloutPolicies } from './policies.ts';
import { Rollout, type RolloutChange } from './rollout.ts';
import { SequentialTest } from './sequential.ts';
import { Trials } from './trials.ts';

describe('the normal distribution', () => {
  it('has the quantiles that tables have', () => {
    for (const [p, x] of [
      [0.5, 0],
      [0.975, 1.959964],
      [0.01, -2.326348],
      [0.9999, 3.719016],
    ] as const)
      expect(normalQuantile(p)).toBeCloseTo(x, 5);
    expect(normalDensity(0)).toBeCloseTo(0.398942, 6);
  });
});

describe('the sequential test', () => {
  const alarms = (runs: number, most: number, draw: (random: () => number) => number): number => {
    let raised = 0;
    for (let run = 0; run < runs; run++) {
      const random = seeded(run + 1);
      const test = new SequentialTest({ falseAlarm: 0.05, horizon: 300 });
      for (let i = 0; i < most && !test.alarm; i++) test.observe(draw(random));
      if (test.alarm) raised++;
    }
    return raised / runs;
  };

  it('raises few false alarms though it is looked at after every observation, far beyond its horizon', () => {
    // 400 runs: 8% is four standard errors above the 5% that are allowed.
    expect(alarms(400, 2_000, (random) => (random() < 0.5 ? 1 : -1))).toBeLessThan(0.08);
  });

  it('finds harm within its horizon, and beyond it', () => {
    expect(alarms(100, 300, (random) => (random() < 0.6 ? 1 : -1))).toBeGreaterThan(0.8);
    expect(alarms(50, 6_000, (random) => (random() < 0.54 ? 1 : -1))).toBeGreaterThan(0.8);
  });

  it('never has a stake below nothing, whatever comes, and never takes an alarm back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 400 }),
        fc.integer({ min: 1, max: 100 }),
        (values, horizon) => {
          const test = new SequentialTest({ falseAlarm: 0.05, horizon });
          let alarmed = false;
          for (const value of values) {
            const now = test.observe(value);
            expect(now || !alarmed).toBe(true);
            alarmed = now;
            expect(test.evidence).toBeGreaterThanOrEqual(0);
            expect(Number.isFinite(test.evidence)).toBe(true);
          }
        },
      ),
    );
  });

  it('is fair: the stake’s mean does not grow where there is no harm', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (path) => {
        // From any state, the mean over the two equally likely next observations is the stake itself.
        const state = (more: readonly number[]): number => {
          const test = new SequentialTest({ falseAlarm: 0.05, horizon: 20 });
          for (const up of path) test.observe(up ? 1 : -1);
          for (const value of more) test.observe(value);
          return test.evidence;
        };
        expect((state([1]) + state([-1])) / 2).toBeCloseTo(state([]), 9);
      }),
    );
  });
});

describe('pairing', () => {
  it('compares as many of each arm as their shares bring, the newest first', () => {
    const found: number[] = [];
    const pairing = new Pairing('score', 0, (difference) => found.push(difference));
    pairing.share(0.25);
    for (const value of [0, 1, 1, 1]) pairing.observe('control', value);
    pairing.observe('treatment', 0.5);
    expect(found).toEqual([0.5]);
  });

  it('stays within -1 and 1, also for amounts of any size', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('score' as const, 'amount' as const),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.array(fc.tuple(fc.boolean(), fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 300 }),
        fc.double({ min: 0.001, max: 1e6, noNaN: true }),
        (kind, share, values, scale) => {
          const pairing = new Pairing(kind, 0.1, (difference) => {
            expect(difference).toBeGreaterThanOrEqual(-1);
            expect(difference).toBeLessThanOrEqual(1);
          });
          pairing.share(share);
          for (const [treated, value] of values)
            pairing.observe(treated ? 'treatment' : 'control', kind === 'score' ? value : value * scale);
        },
      ),
    );
  });
});

describe('assignment', () => {
  it('is sticky, even, and keeps who is in a share in a larger one', () => {
    const positions = Array.from({ length: 4_000 }, (_, i) => position('x', `unit-${i}`));
    expect(positions.filter((at) => at < 0.1).length / 4_000).toBeCloseTo(0.1, 1);
    expect(position('x', 'unit-1')).toBe(positions[1]);
    expect(position('y', 'unit-1')).not.toBe(positions[1]);
  });

  it('goes by conversation, workspace or request', () => {
    const request = { id: 'r', workspace: 'w', session: 's' };
    expect([
      unitOf('session', request),
      unitOf('session', { ...request, session: null }),
      unitOf('workspace', request),
      unitOf('request', request),
    ]).toEqual(['s', 'r', 'w', 'r']);
    expect([
      takesPart({ workspaces: ['team-*'], providers: null }, 'team-a', 'openai'),
      takesPart({ workspaces: ['red'], providers: null }, 'blue', 'openai'),
      takesPart({ workspaces: null, providers: new Set(['mistral']) }, 'red', 'openai'),
    ]).toEqual([true, false, false]);
  });
});

/** One answer of an arm. */
function answered(policy: PolicySnapshot, arm: string, more: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return { ...record(input({ generation: policy }), {}, { arm }), quality: { score: 1, fault: null, depth: 'ending' }, ...more };
}

describe('a comparison', () => {
  it('leaves out what says nothing of a model', () => {
    const comparison = new Comparison(defaultComparison);
    comparison.share(0.5);
    const policy = generation();
    for (const outcome of ['client-gone', 'blocked', 'unobserved'] as const)
      comparison.record('control', answered(policy, 'a:control', { outcome }));
    comparison.record('control', answered(policy, 'a:control', { kind: 'cached' }));
    expect(comparison.seen('control')).toBe(0);
    comparison.record('control', answered(policy, 'a:control'));
    comparison.grade('control', { decision: 'd', time: '', score: 0.5, source: 'user' });
    comparison.grade('control', { decision: 'd', time: '', score: 0, source: 'checks' });
    expect(comparison.figures()).toMatchObject({
      quality: { control: { observations: 1, mean: 0.5 } },
      checks: { control: { observations: 1, mean: 1 } },
      errors: { control: { mean: 1 } },
      latency: { control: { mean: 90.5 } },
    });
    expect(comparison.harm).toBeNull();
  });

  it.each<readonly [string, (i: number) => Partial<ExchangeRecord>]>([
    ['errors', (i) => (i % 3 === 0 ? { outcome: 'provider-error', status: 500, quality: null } : {})],
    ['checks', (i) => (i % 3 === 0 ? { quality: { score: 0, fault: 'empty', depth: 'whole' } } : {})],
    ['cost', () => ({ cost: { known: true, usd: 0.01 } })],
    ['latency', () => ({ timing: { overheadMs: 0, firstByteMs: 1, firstTokenMs: null, totalMs: 400 } })],
  ])('finds harm in %s', (what, worse) => {
    const comparison = new Comparison(defaultComparison);
    comparison.share(0.5);
    const policy = generation();
    for (let i = 0; i < 600 && comparison.harm === null; i++) {
      comparison.record('control', answered(policy, 'a:control'));
      comparison.record('treatment', answered(policy, 'a:treatment', worse(i)));
    }
    expect(comparison.harm).toBe(what);
  });
});

const plan: RolloutPolicy = {
  stages: [0.1, 0.5],
  by: 'session',
  requests: 20,
  stageMs: 1_000,
  keepMs: 60_000,
  falseAlarm: 0.05,
  horizon: 500,
  tolerance: { quality: 0, errors: 0, cost: 0.1, latency: 0.25 },
};

function rolled(rollout: RolloutPolicy | null = plan): {
  readonly rollout: Rollout;
  readonly changes: RolloutChange[];
  readonly clock: { now: number };
  readonly old: PolicySnapshot;
  readonly next: PolicySnapshot;
} {
  const old = generation({ hash: 'old' });
  const next = generation({ hash: 'new', rollout });
  const changes: RolloutChange[] = [];
  const clock = { now: 0 };
  const one = new Rollout(
    { stable: old, candidate: null, kept: null, rolledBack: [] },
    (change) => changes.push(change),
    () => clock.now,
  );
  one.take(next);
  return { rollout: one, changes, clock, old, next };
}

describe('a rollout', () => {
  const answers = (
    { rollout, old, next }: ReturnType<typeof rolled>,
    count: number,
    worse: (i: number) => Partial<ExchangeRecord> = () => ({}),
  ): void => {
    for (let i = 0; i < count; i++) {
      rollout.record('control', answered(old, 'rollout:control'));
      rollout.record('treatment', answered(next, 'rollout:treatment', worse(i)));
    }
  };

  it('goes through its stages, by answers and time, and keeps the old policy', () => {
    const all = rolled();
    const { rollout, changes, clock, old, next } = all;
    expect(rollout.stable).toBe(old);
    const treated = (): number =>
      Array.from({ length: 1_000 }, (_, i) => rollout.choose(() => `s${i}`)).filter((choice) => choice?.arm === 'treatment').length / 1_000;
    expect(treated()).toBeCloseTo(0.1, 1);
    answers(all, 30);
    expect(changes.map(({ event }) => event)).toEqual(['began']);
    clock.now = 1_001;
    answers(all, 1);
    expect(changes.at(-1)).toMatchObject({ event: 'advanced', share: 0.5 });
    expect(treated()).toBeCloseTo(0.5, 1);
    clock.now = 3_000;
    answers(all, 18);
    expect(rollout.candidate).toBe(next);
    answers(all, 1);
    expect(changes.at(-1)).toMatchObject({ event: 'promoted', policy: 'new', share: 1 });
    expect([rollout.stable, rollout.choose(() => 's')]).toEqual([next, null]);
    expect(rollout.status().kept).toMatchObject({ policy: 'old' });
    expect(rollout.rollback('asked')).toBe(true);
    expect(rollout.stable).toBe(old);
    // Once rolled back it is not tried again, until it is edited.
    rollout.take(next);
    expect([rollout.stable, rollout.candidate]).toEqual([old, null]);
    rollout.take(generation({ hash: 'newer', rollout: plan }));
    expect(rollout.candidate?.hash).toBe('newer');
  });

  it('goes back by itself when there is harm, and at once when somebody says so', () => {
    const harmful = rolled();
    answers(harmful, 300, () => ({ outcome: 'provider-error', status: 500, quality: null }));
    expect(harmful.changes.at(-1)).toMatchObject({ event: 'rolled-back', policy: 'new', cause: 'errors' });
    expect([harmful.rollout.stable, harmful.rollout.candidate]).toEqual([harmful.old, null]);
    const asked = rolled();
    expect(asked.rollout.rollback('asked')).toBe(true);
    expect(asked.changes.at(-1)).toMatchObject({ event: 'rolled-back', cause: 'asked' });
    expect(asked.rollout.rollback('asked')).toBe(false);
  });

  it('does not advance while there is reason to worry', () => {
    const all = rolled();
    all.clock.now = 10_000;
    const low = { decision: 'd', time: '', source: 'judge' } as const;
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 9; j++) all.rollout.grade('control', 'old', { ...low, score: 1 });
      all.rollout.grade('treatment', 'new', { ...low, score: 0 });
    }
    answers(all, 50);
    expect(all.changes.map(({ event }) => event)).toEqual(['began']);
    expect(all.rollout.candidate).not.toBeNull();
  });

  it('takes a policy that asks for none at once, and lets the kept one go in time', () => {
    const { rollout, clock, next } = rolled(null);
    expect([rollout.stable, rollout.choose(() => 's')]).toEqual([next, null]);
    clock.now = 15 * 24 * 3_600_000;
    expect(rollout.status().kept).toBeNull();
    expect(rollout.rollback('asked')).toBe(false);
  });
});

const experiments = `
version: 1
defaults: { candidates: { simple: [gpt-small], standard: [gpt-middle], complex: [gpt-large] } }
experiments:
  - { name: strong, kind: ab, share: 50%, model: gpt-large, stopOnHarm: on }
  - { name: own, kind: ab, share: 0.5, model: requested, match: { workspace: [own] } }
  - { name: thresholds, kind: ab, share: 100%, match: { workspace: [settings] }, settings: { candidates: { simple: [gpt-middle], standard: [gpt-middle], complex: [gpt-large] } } }
`;

function trialsOf(policy: PolicySnapshot, changes: string[] = []): Trials {
  const rollout = new Rollout({ stable: policy, candidate: null, kept: null, rolledBack: [] }, () => undefined);
  return new Trials({ rollout, stopped: [], onChange: (name, change, by) => changes.push(`${name} ${change} ${by ?? '-'}`) });
}

describe('experiments', () => {
  const subject = (i: number, workspace = 'red') => ({ id: `id-${i}`, workspace, provider: 'openai', session: `s${i}` });

  it('put their share into the treatment, and say who is in which arm', () => {
    const policy = compiled(experiments);
    const trials = trialsOf(policy);
    const assigned = Array.from({ length: 400 }, (_, i) => trials.assign(subject(i), policy)!);
    const treated = assigned.filter(({ arm }) => arm === 'strong:treatment');
    expect(treated.length / 400).toBeCloseTo(0.5, 1);
    expect(treated[0]?.forced).toEqual({ experiment: 'strong', target: { provider: 'openai', model: 'gpt-large' } });
    expect(assigned.filter(({ arm }) => arm === 'strong:control').every(({ forced }) => forced === null)).toBe(true);
    // Traffic that cannot reach the model takes no part.
    expect(trials.assign({ ...subject(1), provider: 'anthropic' }, policy)).toBeNull();
    // One treatment a request.
    const own = Array.from({ length: 400 }, (_, i) => trials.assign(subject(i, 'own'), policy)!.arm);
    expect(new Set(own)).toEqual(
      new Set(['strong:control,own:control', 'strong:control,own:treatment', 'strong:treatment', 'strong:treatment,own:control']),
    );
  });

  it('draw requests whose copies go to another model', () => {
    const policy = compiled(`version: 1\nexperiments: [{ name: copies, kind: shadow, share: 50%, model: gpt-large, maxUsdPerDay: 3 }]\n`);
    const trials = trialsOf(policy);
    const assigned = Array.from({ length: 400 }, (_, i) => trials.assign(subject(i), policy));
    const drawn = assigned.filter((one) => one !== null);
    expect(drawn.length / 400).toBeCloseTo(0.5, 1);
    expect(drawn[0]).toMatchObject({
      arm: 'copies:control',
      forced: null,
      section: null,
      shadow: { experiment: 'copies', target: { provider: 'openai', model: 'gpt-large' }, maxUsdPerDay: 3 },
    });
    // A copy's record speaks for the treatment.
    trials.record(answered(policy, 'copies:treatment', { kind: 'shadow' }));
    expect(trials.status(policy)[0]?.figures.errors.treatment.observations).toBe(1);
  });

  it('can be a section with other settings', () => {
    const policy = compiled(experiments);
    const trials = trialsOf(policy);
    const found = Array.from({ length: 50 }, (_, i) => trials.assign(subject(i, 'settings'), policy)!).find(
      ({ section }) => section !== null,
    );
    expect(found?.arm).toBe('strong:control,thresholds:treatment');
    expect(found?.section?.candidates.simple).toEqual([{ provider: 'openai', model: 'gpt-middle' }]);
  });

  it('end at once when they are stopped, and by themselves when they do harm', () => {
    const policy = compiled(experiments);
    const changes: string[] = [];
    const trials = trialsOf(policy, changes);
    const arms = (): Set<string | null> => new Set(Array.from({ length: 50 }, (_, i) => trials.assign(subject(i), policy)?.arm ?? null));
    trials.stop('strong');
    expect(arms()).toEqual(new Set([null]));
    trials.start('strong');
    trials.stop('*');
    expect(arms()).toEqual(new Set([null]));
    trials.start('*');
    expect(arms()).toEqual(new Set(['strong:control', 'strong:treatment']));
    for (let i = 0; i < 300; i++) {
      trials.record(answered(policy, 'strong:control'));
      trials.record(answered(policy, 'strong:treatment', { outcome: 'cut' }));
    }
    expect(changes).toEqual(['strong stopped -', 'strong started -', '* stopped -', '* started -', 'strong harm errors']);
    expect(arms()).toEqual(new Set([null]));
    expect(trials.status(policy).map(({ name, state }) => `${name} ${state}`)).toEqual([
      'strong harm',
      'own running',
      'thresholds running',
    ]);
  });

  it('force a model that can do the job, after the policy’s hard choices', () => {
    const forced = { experiment: 'strong', target: ref('large') };
    expect(decide({ ...input(), forced })).toMatchObject({ served: ref('large'), reason: 'experiment', rule: 'strong' });
    expect(decide({ ...input(), forced: { experiment: 'own', target: null } })).toMatchObject({
      served: ref('dear'),
      action: 'keep',
      reason: 'experiment',
    });
    expect(decide({ ...input({ section: { pinned: new Set(['dear']) } }), forced })).toMatchObject({ reason: 'pinned' });
    expect(
      decide({ ...input({ exchange: { promptTokens: 200_000 } }), forced: { experiment: 'strong', target: ref('middle') } }).reason,
    ).not.toBe('experiment');
  });

  it.each([
    [
      'two of one name',
      'experiments: [{ name: a, kind: ab, share: 1%, model: gpt-small }, { name: a, kind: ab, share: 1%, model: gpt-small }]',
      'twice 2:75 experiments[1].name',
    ],
    ['an unknown model', 'experiments: [{ name: a, kind: ab, share: 1%, model: gpt-nobody }]', 'unknown-model 2:54 experiments[0].model'],
    ['nothing to try', 'experiments: [{ name: a, kind: ab, share: 1% }]', 'schema 2:15 experiments[0]'],
    ['a shadow without a bound', 'experiments: [{ name: a, kind: shadow, share: 1%, model: gpt-small }]', 'schema 2:15 experiments[0]'],
    ['stages that fall', 'rollout: { stages: [50%, 10%] }', 'range 2:26 rollout.stages[1]'],
    [
      'a wrong setting of the treatment',
      'experiments: [{ name: a, kind: ab, share: 1%, settings: { default: gpt-nobody } }]',
      'unknown-model 2:68 experiments[0].settings.default',
    ],
  ])('are checked: %s', (_what, text, problem) => {
    expect(
      compile(`version: 1\n${text}\n`)
        .problems.filter(({ level }) => level === 'error')
        .map(short),
    ).toContain(problem);
  });
});

describe.skipIf(!redisThere)('servers that share a Redis', () => {
  const server = (url: string) => {
    const policy = compiled(experiments);
    let fleet: Fleet | null = null;
    const changes: string[] = [];
    const rollout = new Rollout({ stable: policy, candidate: null, kept: null, rolledBack: [] }, (change) => {
      changes.push(change.event);
      fleet?.tell(change);
    });
    const trials: Trials = new Trials({ rollout, stopped: [], onChange: () => fleet?.tellStopped(trials.stopped) });
    const own = (fleet = new Fleet({ url, passwordFile: null, caFile: null, rollout, trials, intervalMs: 20, onProblem: () => undefined }));
    return { rollout, trials, changes, close: () => own.close() };
  };

  it('go through a rollout together, and back, and stop together', async () => {
    const redis = await TestRedis.start();
    const [one, two] = [server(redis.url), server(redis.url)];
    const next = (hash: string) => ({ ...compiled(experiments), hash, rollout: { ...plan, requests: 1, stageMs: 0 } });
    try {
      await expect
        .poll(() => {
          one.trials.start('own');
          one.trials.stop('own');
          return two.trials.stopped;
        })
        .toEqual(['own']);
      for (const each of [one, two]) each.rollout.take(next('next'));
      one.rollout.record('treatment', answered(next('next'), 'rollout:treatment'));
      expect(one.rollout.status().candidate?.stage).toBe(2);
      await expect.poll(() => two.rollout.status().candidate?.stage).toBe(2);
      two.rollout.rollback('errors');
      await expect.poll(() => one.rollout.candidate).toBeNull();
      expect([one.changes, two.changes]).toEqual([
        ['began', 'advanced', 'rolled-back'],
        ['began', 'advanced', 'rolled-back'],
      ]);
      for (const each of [one, two]) each.rollout.take(next('last'));
      one.rollout.promote();
      await expect.poll(() => two.rollout.stable.hash).toBe('last');
      // A policy that took over is taken back everywhere, too.
      two.rollout.rollback('asked');
      await expect.poll(() => one.rollout.stable.hash).not.toBe('last');
      // A rollback beats a promotion of the same moment, whichever Redis hears of last.
      const orders = [() => one.rollout.promote(), () => two.rollout.rollback('asked')];
      for (const hash of ['both', 'again']) {
        for (const each of [one, two]) each.rollout.take(next(hash));
        for (const order of hash === 'both' ? orders : orders.toReversed()) order();
        const places = (): unknown[] => [one, two].map(({ rollout }) => [rollout.stable.hash, rollout.candidate]);
        await expect.poll(places).toEqual([one, two].map(() => [compiled(experiments).hash, null]));
      }
      two.trials.start('own');
      await expect.poll(() => one.trials.stopped).toEqual([]);
    } finally {
      one.close();
      two.close();
      await redis.remove();
    }
  });
});

describe('policies that roll out', () => {
  const text = (model: string, more = ''): string =>
    `version: 1\n${more}defaults: { candidates: { simple: [${model}] }, tiers: [simple] }\n`;
  const withRollout = text('gpt-middle', 'rollout: { stages: [10%, 50%], requests: 1, minutes: 0 }\n');

  function sourceOf(first: string): LivePolicyStore & { edit(text: string): void } {
    const listeners = new Set<(generation: PolicySnapshot) => void>();
    let current = compiled(first);
    return {
      current: () => current,
      lastRefusal: () => null,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      onRefusal: () => () => undefined,
      close: () => Promise.resolve(),
      sources: () => [],
      setCatalog(next) {
        current = compiled({ [current.files[0]!.name]: current.files[0]!.text }, { catalog: next });
        for (const listener of listeners) listener(current);
      },
      edit(next) {
        current = compiled(next, { number: current.number + 1 });
        for (const listener of listeners) listener(current);
      },
    };
  }

  it('survive a restart in the middle, with the old policy', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-rollout-'));
    try {
      const options = (source: LivePolicyStore) => ({
        source,
        catalog,
        file: join(folder, 'state.json'),
        onRuleError: () => undefined,
        onChange: () => undefined,
        onError: (error: unknown) => expect(error).toBeNull(),
      });
      const source = sourceOf(text('gpt-small'));
      const before = new RolloutPolicies(options(source));
      source.edit(withRollout);
      before.rollout.record('treatment', answered(before.rollout.candidate!, 'rollout:treatment'));
      expect(before.rollout.status().candidate).toMatchObject({ stage: 2, share: 0.5 });
      before.keepStopped(['x']);
      await before.close();
      expect(JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8'))).toMatchObject({
        version: 1,
        candidate: { stage: 1 },
        stopped: ['x'],
      });
      const after = new RolloutPolicies(options(sourceOf(withRollout)));
      expect(after.current().section('red', 'openai').candidates.simple).toEqual([{ provider: 'openai', model: 'gpt-small' }]);
      expect(after.rollout.status().candidate).toMatchObject({ stage: 2, share: 0.5 });
      expect(after.stoppedBefore).toEqual(['x']);
      // New prices reach both policies, and change neither's place.
      after.setCatalog(catalog);
      expect(after.rollout.status()).toMatchObject({ stable: before.current().hash, candidate: { stage: 2 } });
      await after.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are not tried on nothing when the source knows them only after the start', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-rollout-'));
    try {
      let isKnown = false;
      const options = (source: LivePolicyStore, file: string | null) => ({
        source,
        known: () => isKnown,
        catalog,
        file,
        onRuleError: () => undefined,
        onChange: () => undefined,
        onError: (error: unknown) => expect(error).toBeNull(),
      });
      const nothing = 'version: 1\ndefaults: { mode: off }\n';
      const source = sourceOf(nothing);
      const late = new RolloutPolicies(options(source, null));
      isKnown = true;
      source.edit(withRollout);
      expect(late.rollout.status()).toMatchObject({ stable: source.current().hash, candidate: null, kept: null });
      source.edit(text('gpt-small', 'rollout: { stages: [10%], requests: 1, minutes: 0 }\n'));
      expect(late.rollout.status().candidate).toMatchObject({ share: 0.1 });
      // With a file: where that one says.
      const file = join(folder, 'state.json');
      const before = new RolloutPolicies(options(sourceOf(text('gpt-small')), file));
      const old = before.current().hash;
      await before.close();
      isKnown = false;
      const again = sourceOf(nothing);
      const after = new RolloutPolicies(options(again, file));
      isKnown = true;
      again.edit(withRollout);
      expect(after.rollout.status()).toMatchObject({ stable: old, candidate: { share: 0.1 } });
      await after.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
