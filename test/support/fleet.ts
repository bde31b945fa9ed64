import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { LearningSummary } from '../../src/router/online/state.ts';
import { recordOf } from './record.ts';

/** A Sluice with an Envoy before it. */
export interface Replica {
  /** Where apps call its Envoy. */
  readonly url: string;
  readonly adminUrl: string;
}

/** Clients that call all replicas until they are stopped. */
export interface FleetLoad {
  /** How many answers they have had. */
  answered(): Promise<number>;
  /** `decided`: the decisions that answers named; `failures`: everything but status 200. */
  stop(): Promise<{ readonly answers: number; readonly failures: readonly string[]; readonly decided: readonly string[] }>;
}

/** A server that replicas share. A restarted Redis is empty. */
interface SharedServer {
  stop(): Promise<unknown>;
  restart(): Promise<unknown>;
}

/** Three replicas that share a Redis and a PostgreSQL, wherever they run. */
export interface TestFleet {
  /** In the same order after a restart. */
  readonly replicas: readonly Replica[];
  readonly redis: SharedServer;
  /** `stop` ends it as a crash does. */
  readonly postgres: SharedServer;
  /** Ends one in order; another one takes its place, and is ready when this resolves. */
  restart(index: number): Promise<void>;
  /** Replicas go and come in the way of their place. */
  comeAndGo(): Promise<void>;
  writePolicy(text: string): Promise<void>;
  /** Gives one an order, as who runs it does: POST to this path of its admin server. The answer's status. */
  order(index: number, path: string): Promise<number>;
  /** How often the provider was asked for the model that it has no room for. */
  limited(): Promise<number>;
  query<Row extends object>(sql: string): Promise<Row[]>;
  startLoad(): Promise<FleetLoad>;
}

/** US dollars that the budget `team` may spend a day. */
const budget = 0.02;

/** The policy of the tests, with a model for what no section matches; `more`: top-level settings of a place. */
export const fleetPolicy = (more = '', loaded = 'gpt-5-nano'): string => `version: 1
${more}rollout: { stages: [50%], requests: 5000, minutes: 0 }
defaults:
  tiers: [simple]
  candidates: { simple: [openai/${loaded}] }
  rules: [{ name: zeus, when: "request.lastUser.contains('zeus')", then: { block: 'Not about zeus.' } }]
sections:
  - { name: limited, match: { workspace: [limited] }, candidates: { simple: [openai/${limitedModel}] }, fallback: { tiers: { simple: [openai/gpt-4.1-mini] }, on: [rate-limit] } }
  - { name: graded, match: { workspace: [graded] }, learning: {} }
  - { name: team, match: { workspace: [team] }, candidates: { simple: [openai/gpt-5.1] } }
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on } }
budgets:
  - { name: team, match: { workspace: [team] }, period: day, usd: ${budget}, hard: {} }
experiments: [{ name: lab, kind: ab, match: { workspace: [lab] }, share: 50%, model: openai/gpt-5-mini }]
`;

/** The model that the provider has no room for, and its answer. */
export const limitedModel = 'gpt-4.1-nano';
export const limitedAnswer = {
  headers: { 'content-type': 'application/json', 'retry-after': '300' },
  body: '{"error":{"message":"limit","type":"rate_limit_error"}}',
} as const;

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

/** One question to a replica, as an app asks it. */
export async function askFleet({ url }: Replica, workspace: string, content = 'What is DNS?', session = ''): Promise<Answer> {
  const response = await fetch(`${url}/v1/chat/completions`, {
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

/** What replicas with one Redis and one PostgreSQL agree on while they come and go. `more`: as of `fleetPolicy`. */
export function fleetTests(fleet: () => TestFleet, more = ''): void {
  answersAndBudgets(fleet);
  coolDowns(fleet);
  beliefs(fleet);
  experiments(fleet);
  rollouts(fleet, more);
  restartedServers(fleet);
}

/** What each of them says at a path of its admin server. */
const each = <T>({ replicas }: TestFleet, path: string): Promise<T[]> =>
  Promise.all(replicas.map(async ({ adminUrl }) => (await (await fetch(`${adminUrl}${path}`)).json()) as T));

/** What the ledger holds of a workspace. */
const recorded = (fleet: TestFleet, workspace: string): Promise<{ readonly id: string; readonly cost: number | null }[]> =>
  fleet.query(`SELECT id, cost FROM entries WHERE kind = 'exchange' AND workspace = '${workspace}'`);

function answersAndBudgets(fleet: () => TestFleet): void {
  it('answer from the cache what another one was answered, also one that was just started', async () => {
    expect((await askFleet(fleet().replicas[0]!, 'cached')).cache).toBe('miss');
    await expect.poll(async () => (await askFleet(fleet().replicas[1]!, 'cached')).cache, soon).toBe('hit');
    await fleet().restart(2);
    await expect.poll(async () => (await askFleet(fleet().replicas[2]!, 'cached')).cache, soon).toBe('hit');
  });

  it('spend no more of a budget than one of them would, and all know when it is spent, also one that was just started', async () => {
    // What an answer costs less than was reserved for it is free again: the budget is spent when two rounds were refused.
    const statuses: number[] = [];
    const spentOut = (): boolean => statuses.length >= 6 && statuses.slice(-6).every((status) => status === 429);
    for (let turn = 0; turn < 120 && !spentOut(); turn++) statuses.push((await askFleet(fleet().replicas[turn % 3]!, 'team')).status);
    expect(spentOut()).toBe(true);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(3);
    await fleet().restart(1);
    // What it gave back when it stopped is spent again first.
    const asked = (): Promise<number[]> => Promise.all(fleet().replicas.map(async (replica) => (await askFleet(replica, 'team')).status));
    await expect.poll(asked, soon).toEqual([429, 429, 429]);
    const spent = async (): Promise<number> => (await recorded(fleet(), 'team')).reduce((sum, { cost }) => sum + (cost ?? 0), 0);
    await expect.poll(spent, soon).toBeGreaterThan(0);
    expect(await spent()).toBeLessThanOrEqual(budget);
  });
}

function coolDowns(fleet: () => TestFleet): void {
  it('rest a target that one of them was refused by within two seconds, also one that was just started', async () => {
    const resting = (): Promise<string[]> =>
      Promise.all(
        fleet().replicas.map(async ({ adminUrl }) => {
          const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
          return /^llm_proxy_target_cooling\{.*model="gpt-4.1-nano".*\} (\S+)$/m.exec(metrics)?.[1] ?? '-';
        }),
      );
    expect(await resting()).toEqual(['-', '-', '-']);
    const first = await askFleet(fleet().replicas[0]!, 'limited');
    expect([first.status, first.model]).toEqual([200, 'gpt-4.1-mini']);
    await expect.poll(resting, bound(2)).toEqual(['1', '1', '1']);
    await fleet().restart(2);
    await expect.poll(resting, soon).toEqual(['1', '1', '1']);
    // It is last in the chain for all: nobody asks it again.
    const before = await fleet().limited();
    expect(before).toBeGreaterThan(0);
    for (const replica of fleet().replicas) expect((await askFleet(replica, 'limited')).model).toBe('gpt-4.1-mini');
    expect(await fleet().limited()).toBe(before);
  });
}

function beliefs(fleet: () => TestFleet): void {
  it('believe the same of models within two seconds of a grade at one of them, also one that was just started', async () => {
    const believed = async (): Promise<string[][]> =>
      (await each<LearningSummary>(fleet(), '/learning')).map(({ upgrades }) => upgrades.map(({ decisionId }) => decisionId));
    const { url, adminUrl } = fleet().replicas[1]!;
    const question = 'Which of these two blenders is quieter at full speed, and by how many decibels?';
    const { decision } = await askFleet(fleet().replicas[1]!, 'graded', question);
    await recordOf(adminUrl, decision);
    const graded = await fetch(`${url}/v1/feedback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sluice-workspace': 'graded' },
      body: JSON.stringify({ decision, thumbs: 'down', source: 'user' }),
    });
    expect(graded.status).toBe(202);
    const all = [[decision], [decision], [decision]];
    await expect.poll(believed, bound(2)).toEqual(all);
    await fleet().restart(0);
    await expect.poll(believed, soon).toEqual(all);
  });
}

function experiments(fleet: () => TestFleet): void {
  it('have the same arms, and end an experiment within two seconds of an order to one of them', async () => {
    const arms = (): Promise<(string | null)[][]> =>
      Promise.all(
        fleet().replicas.map(async (replica) => {
          const seen: (string | null)[] = [];
          for (let session = 0; session < 12; session++) seen.push((await askFleet(replica, 'lab', 'What is a CDN?', `s${session}`)).arm);
          return seen;
        }),
      );
    const [first, ...others] = await arms();
    expect(new Set(first)).toEqual(new Set(['lab:control', 'lab:treatment']));
    for (const other of others) expect(other).toEqual(first);
    const states = async (): Promise<string[]> =>
      (await each<{ readonly experiments: readonly { readonly state: string }[] }>(fleet(), '/experiments')).map(
        (said) => said.experiments[0]!.state,
      );
    expect(await states()).toEqual(['running', 'running', 'running']);
    expect(await fleet().order(2, '/experiments/lab/stop')).toBe(200);
    await expect.poll(states, bound(2)).toEqual(['stopped', 'stopped', 'stopped']);
    expect(new Set((await arms()).flat())).toEqual(new Set([null]));
    await fleet().restart(1);
    await expect.poll(states, soon).toEqual(['stopped', 'stopped', 'stopped']);
  });
}

function rollouts(fleet: () => TestFleet, more: string): void {
  interface Rollout {
    readonly stable: string;
    readonly candidate: { readonly policy: string; readonly share: number } | null;
    readonly rolledBack: readonly string[];
  }

  it('roll a policy out together, and take it back within two seconds of an order to one of them', async () => {
    const said = (): Promise<Rollout[]> => each<Rollout>(fleet(), '/rollout');
    const [{ stable } = { stable: '' }] = await said();
    await fleet().writePolicy(fleetPolicy(more, 'gpt-4.1'));
    const shares = async (): Promise<unknown[]> => (await said()).map(({ candidate }) => candidate?.share);
    await expect.poll(shares, soon).toEqual([0.5, 0.5, 0.5]);
    const tried = new Set((await said()).map(({ candidate }) => candidate?.policy));
    expect(tried.size).toBe(1);
    // One that starts meanwhile takes part.
    await fleet().restart(2);
    await expect.poll(shares, soon).toEqual([0.5, 0.5, 0.5]);
    expect(await fleet().order(0, '/rollout/rollback')).toBe(200);
    const back = { stable, candidate: null, rolledBack: [...tried] };
    await expect.poll(said, bound(2)).toMatchObject([back, back, back]);
    // One that is started again with the policy does not try it again.
    await fleet().restart(1);
    await expect.poll(said, soon).toMatchObject([back, back, back]);
    expect((await askFleet(fleet().replicas[1]!, 'other')).model).toBe('gpt-5-nano');
  });
}

function restartedServers(fleet: () => TestFleet): void {
  it('fail no request and lose no record while Redis, PostgreSQL and one of them go and come', async () => {
    const load = await fleet().startLoad();
    // Whatever happens, some requests come after it.
    const some = async (): Promise<void> => {
      const until = (await load.answered()) + 60;
      await expect.poll(() => load.answered(), soon).toBeGreaterThan(until);
    };
    const { redis, postgres } = fleet();
    const steps = [() => redis.stop(), () => redis.restart(), () => postgres.stop(), () => postgres.restart(), () => fleet().comeAndGo()];
    await some();
    for (const step of steps) {
      await step();
      await some();
    }
    const { answers, failures, decided } = await load.stop();
    expect(failures).toEqual([]);
    // Those that came while a Sluice was away passed undecided.
    expect(decided.length).toBeGreaterThan(answers / 2);
    const lost = async (): Promise<string[]> => {
      const there = new Set((await recorded(fleet(), 'load')).map(({ id }) => id));
      return decided.filter((id) => !there.has(id));
    };
    await expect.poll(lost, { ...soon, timeout: 60_000 }).toEqual([]);
    process.stdout.write(`${answers} answers, ${decided.length} decided and recorded\n`);
  });
}

/** An order to an admin server; from its own machine it needs no token. */
export const orderTo = async (adminUrl: string, path: string): Promise<number> =>
  (await fetch(`${adminUrl}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status;

/** A load from this process. */
export function loadFromHere({ replicas }: TestFleet): FleetLoad {
  const decided: string[] = [];
  const failures: string[] = [];
  let answers = 0;
  let running = true;
  const client = async (number: number): Promise<void> => {
    for (let turn = 0; running; turn++) {
      await askFleet(replicas[(number + turn) % 3]!, 'load', `What is ${number} plus ${turn}?`).then(
        ({ status, decision }) => {
          answers++;
          if (status !== 200) failures.push(`status ${status}`);
          if (decision !== null) decided.push(decision);
        },
        (error: unknown) => failures.push(String(error)),
      );
      await sleep(20);
    }
  };
  const clients = Array.from({ length: 6 }, (_, number) => client(number));
  return {
    answered: () => Promise.resolve(answers),
    stop: async () => {
      running = false;
      await Promise.all(clients);
      return { answers, failures, decided };
    },
  };
}
