import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { LearningSummary } from '../src/router/online/state.ts';
import { postgresThere, TestPostgres } from './support/postgres.ts';
import { redisThere, TestRedis } from './support/redis.ts';
import { recordOf } from './support/record.ts';
import { ScriptedProvider, type Behaviour } from './support/scripted-provider.ts';

const absent = !redisThere ? ' (skipped: no redis-server)' : !postgresThere ? ' (skipped: no PostgreSQL)' : '';

/** US dollars that the budget `team` may spend a day. */
const budget = 0.02;
const policy = (loaded = 'gpt-5-nano'): string => `version: 1
rollout: { stages: [50%], requests: 5000, minutes: 0 }
defaults:
  tiers: [simple]
  candidates: { simple: [openai/${loaded}] }
sections:
  - { name: limited, match: { workspace: [limited] }, candidates: { simple: [openai/gpt-4.1-nano] }, fallback: { tiers: { simple: [openai/gpt-4.1-mini] }, on: [rate-limit] } }
  - { name: graded, match: { workspace: [graded] }, learning: {} }
  - { name: team, match: { workspace: [team] }, candidates: { simple: [openai/gpt-5.1] } }
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on } }
budgets:
  - { name: team, match: { workspace: [team] }, period: day, usd: ${budget}, hard: {} }
experiments: [{ name: lab, kind: ab, match: { workspace: [lab] }, share: 50%, model: openai/gpt-5-mini }]
`;

/** One model has no more room for a while. */
const behaviour: Behaviour = (got, response, answer) => {
  if (got.model !== 'gpt-4.1-nano') return answer();
  response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '300' });
  response.end('{"error":{"message":"limit","type":"rate_limit_error"}}');
};

interface Answer {
  readonly status: number;
  readonly decision: string | null;
  readonly cache: string | null;
  readonly arm: string | null;
  readonly model: string | null;
}

const soon = { timeout: 30_000, interval: 100 };

/** The documented time, and three times as much again for a machine that is busy with other tests. */
const bound = (seconds: number): { readonly timeout: number; readonly interval: number } => ({ timeout: 4_000 * seconds, interval: 100 });

describe.skipIf(absent !== '')(`three replicas with one Redis and one PostgreSQL${absent}`, { timeout: 180_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-fleet-'));
  const provider = new ScriptedProvider();
  let redis: TestRedis;
  let postgres: TestPostgres;
  let replicas: Stack[];

  beforeAll(async () => {
    [redis, postgres] = await Promise.all([TestRedis.start(), TestPostgres.start()]);
    provider.behaviour = behaviour;
    const endpoint = await provider.listen();
    const shared = ['--cache-redis', redis.url, '--budgets-redis', redis.url, '--ledger', postgres.url];
    // A busy machine is late: that is no fault of the fleet's.
    const patience = ['--cache-redis-deadline', '400', '--budgets-redis-deadline', '400', '--max-delay', '0'];
    const state = (number: number): string[] => ['--state', join(folder, `${number}.json`)];
    replicas = Array.from(
      { length: 3 },
      (_, number) => new Stack({ policy: policy(), endpoint, serve: [...shared, ...patience, ...state(number)], messageTimeout: '20s' }),
    );
    for (const replica of replicas) await replica.start();
  }, 180_000);

  afterAll(async () => {
    for (const replica of replicas) await replica.stop();
    await provider.close();
    await redis.remove();
    await postgres.remove();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  async function ask(replica: Stack, workspace: string, content = 'What is DNS?', session = ''): Promise<Answer> {
    const response = await fetch(`${replica.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-sluice-workspace': workspace,
        ...(session === '' ? {} : { 'x-sluice-session': session }),
      },
      body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content }] }),
    });
    await response.arrayBuffer();
    const { status, headers } = response;
    const of = (name: string): string | null => headers.get(`x-sluice-${name}`);
    return { status, decision: of('decision'), cache: of('cache'), arm: of('arm'), model: of('model') };
  }

  const restart = async (replica: Stack): Promise<void> => {
    await replica.stopSluice('SIGTERM');
    await replica.startSluice();
  };

  /** What each of them says at a path of its admin server. */
  const each = <T>(path: string): Promise<T[]> =>
    Promise.all(replicas.map(async ({ adminUrl }) => (await (await fetch(`${adminUrl}${path}`)).json()) as T));
  const order = async (replica: Stack, path: string): Promise<number> =>
    (await fetch(`${replica.adminUrl}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status;

  /** What the ledger holds of a workspace. */
  async function recorded(workspace: string): Promise<{ readonly id: string; readonly cost: number | null }[]> {
    return postgres.query(`SELECT id, cost FROM entries WHERE kind = 'exchange' AND workspace = '${workspace}'`);
  }

  it('answer from the cache what another one was answered, also one that was just started', async () => {
    const [first, second, third] = replicas as [Stack, Stack, Stack];
    expect((await ask(first, 'cached')).cache).toBe('miss');
    await expect.poll(async () => (await ask(second, 'cached')).cache, soon).toBe('hit');
    await restart(third);
    await expect.poll(async () => (await ask(third, 'cached')).cache, soon).toBe('hit');
  });

  it('spend no more of a budget than one of them would, and all know when it is spent, also one that was just started', async () => {
    // What an answer costs less than was reserved for it is free again: the budget is spent when two rounds were refused.
    const statuses: number[] = [];
    const spentOut = (): boolean => statuses.length >= 6 && statuses.slice(-6).every((status) => status === 429);
    for (let turn = 0; turn < 120 && !spentOut(); turn++) statuses.push((await ask(replicas[turn % 3]!, 'team')).status);
    expect(spentOut()).toBe(true);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(3);
    await restart(replicas[1]!);
    // What it gave back when it stopped is spent again first.
    const asked = (): Promise<number[]> => Promise.all(replicas.map(async (replica) => (await ask(replica, 'team')).status));
    await expect.poll(asked, soon).toEqual([429, 429, 429]);
    const spent = async (): Promise<number> => (await recorded('team')).reduce((sum, { cost }) => sum + (cost ?? 0), 0);
    await expect.poll(spent, soon).toBeGreaterThan(0);
    expect(await spent()).toBeLessThanOrEqual(budget);
  });

  it('rest a target that one of them was refused by within two seconds, also one that was just started', async () => {
    const resting = (): Promise<string[]> =>
      Promise.all(
        replicas.map(async ({ adminUrl }) => {
          const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
          return /^llm_proxy_target_cooling\{.*model="gpt-4.1-nano".*\} (\S+)$/m.exec(metrics)?.[1] ?? '-';
        }),
      );
    expect(await resting()).toEqual(['-', '-', '-']);
    const first = await ask(replicas[0]!, 'limited');
    expect([first.status, first.model]).toEqual([200, 'gpt-4.1-mini']);
    await expect.poll(resting, bound(2)).toEqual(['1', '1', '1']);
    await restart(replicas[2]!);
    await expect.poll(resting, soon).toEqual(['1', '1', '1']);
    // It is last in the chain for all: nobody asks it again.
    const asked = (): number => provider.got.filter(({ model }) => model === 'gpt-4.1-nano').length;
    const before = asked();
    for (const replica of replicas) expect((await ask(replica, 'limited')).model).toBe('gpt-4.1-mini');
    expect(asked()).toBe(before);
  });

  it('believe the same of models within two seconds of a grade at one of them, also one that was just started', async () => {
    const believed = async (): Promise<string[][]> =>
      (await each<LearningSummary>('/learning')).map(({ upgrades }) => upgrades.map(({ decisionId }) => decisionId));
    const { decision } = await ask(
      replicas[1]!,
      'graded',
      'Which of these two blenders is quieter at full speed, and by how many decibels?',
    );
    await recordOf(replicas[1]!.adminUrl, decision);
    const graded = await fetch(`${replicas[1]!.url}/v1/feedback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sluice-workspace': 'graded' },
      body: JSON.stringify({ decision, thumbs: 'down', source: 'user' }),
    });
    expect(graded.status).toBe(202);
    const all = [[decision], [decision], [decision]];
    await expect.poll(believed, bound(2)).toEqual(all);
    await restart(replicas[0]!);
    await expect.poll(believed, soon).toEqual(all);
  });

  it('have the same arms, and end an experiment within two seconds of an order to one of them', async () => {
    const arms = (): Promise<(string | null)[][]> =>
      Promise.all(
        replicas.map(async (replica) => {
          const seen: (string | null)[] = [];
          for (let session = 0; session < 12; session++) seen.push((await ask(replica, 'lab', 'What is a CDN?', `s${session}`)).arm);
          return seen;
        }),
      );
    const [first, ...others] = await arms();
    expect(new Set(first)).toEqual(new Set(['lab:control', 'lab:treatment']));
    for (const other of others) expect(other).toEqual(first);
    const states = async (): Promise<string[]> =>
      (await each<{ readonly experiments: readonly { readonly state: string }[] }>('/experiments')).map(
        ({ experiments }) => experiments[0]!.state,
      );
    expect(await states()).toEqual(['running', 'running', 'running']);
    expect(await order(replicas[2]!, '/experiments/lab/stop')).toBe(200);
    await expect.poll(states, bound(2)).toEqual(['stopped', 'stopped', 'stopped']);
    expect(new Set((await arms()).flat())).toEqual(new Set([null]));
    await restart(replicas[1]!);
    await expect.poll(states, soon).toEqual(['stopped', 'stopped', 'stopped']);
  });

  it('roll a policy out together, and take it back within two seconds of an order to one of them', async () => {
    interface Rollout {
      readonly stable: string;
      readonly candidate: { readonly policy: string; readonly share: number } | null;
      readonly rolledBack: readonly string[];
    }
    const rollouts = (): Promise<Rollout[]> => each<Rollout>('/rollout');
    const [{ stable } = { stable: '' }] = await rollouts();
    for (const replica of replicas) replica.writePolicy(policy('gpt-4.1'));
    await expect.poll(async () => (await rollouts()).map(({ candidate }) => candidate?.share), soon).toEqual([0.5, 0.5, 0.5]);
    const tried = new Set((await rollouts()).map(({ candidate }) => candidate?.policy));
    expect(tried.size).toBe(1);
    expect(await order(replicas[0]!, '/rollout/rollback')).toBe(200);
    const back = { stable, candidate: null, rolledBack: [...tried] };
    await expect.poll(rollouts, bound(2)).toMatchObject([back, back, back]);
    // One that is started again with the policy does not try it again.
    await restart(replicas[1]!);
    await expect.poll(rollouts, soon).toMatchObject([back, back, back]);
    expect((await ask(replicas[1]!, 'other')).model).toBe('gpt-5-nano');
  });

  it('fail no request and lose no record while Redis, PostgreSQL and one of them go and come', async () => {
    const answers: Answer[] = [];
    const failures: string[] = [];
    let running = true;
    const client = async (number: number): Promise<void> => {
      for (let turn = 0; running; turn++) {
        await ask(replicas[(number + turn) % 3]!, 'load', `What is ${number} plus ${turn}?`).then(
          (answer) => answers.push(answer),
          (error: unknown) => failures.push(String(error)),
        );
        await sleep(20);
      }
    };
    const clients = Array.from({ length: 6 }, (_, number) => client(number));
    // Whatever happens, some requests come after it.
    const some = async (): Promise<void> => {
      const until = answers.length + 60;
      await expect.poll(() => answers.length, soon).toBeGreaterThan(until);
    };
    await some();
    await redis.stop();
    await some();
    await redis.restart();
    await some();
    await postgres.stop('immediate');
    await some();
    await postgres.restart();
    await some();
    await restart(replicas[2]!);
    await some();
    running = false;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    const decided = answers.flatMap(({ decision }) => decision ?? []);
    // Those that came while a Sluice was away passed undecided.
    expect(decided.length).toBeGreaterThan(answers.length / 2);
    const lost = async (): Promise<string[]> => {
      const there = new Set((await recorded('load')).map(({ id }) => id));
      return decided.filter((id) => !there.has(id));
    };
    await expect.poll(lost, { ...soon, timeout: 60_000 }).toEqual([]);
    process.stdout.write(`${answers.length} answers, ${decided.length} decided and recorded\n`);
  });
});
