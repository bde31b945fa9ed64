import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { postgresThere, TestPostgres } from './support/postgres.ts';
import { redisThere, TestRedis } from './support/redis.ts';

const absent = !redisThere ? ' (skipped: no redis-server)' : !postgresThere ? ' (skipped: no PostgreSQL)' : '';

/** US dollars that the budget `team` may spend a day. */
const budget = 0.02;
const policy = `version: 1
defaults:
  tiers: [simple]
  candidates: { simple: [openai/gpt-5-nano] }
sections:
  - { name: team, match: { workspace: [team] }, candidates: { simple: [openai/gpt-5.1] } }
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on } }
budgets:
  - { name: team, match: { workspace: [team] }, period: day, usd: ${budget}, hard: {} }
`;

interface Answer {
  readonly status: number;
  readonly decision: string | null;
  readonly cache: string | null;
}

const soon = { timeout: 30_000, interval: 100 };

describe.skipIf(absent !== '')(`three replicas with one Redis and one PostgreSQL${absent}`, { timeout: 180_000 }, () => {
  const simulator = new ProviderSimulator();
  let redis: TestRedis;
  let postgres: TestPostgres;
  let replicas: Stack[];

  beforeAll(async () => {
    [redis, postgres] = await Promise.all([TestRedis.start(), TestPostgres.start()]);
    const endpoint = await simulator.listen();
    const shared = ['--cache-redis', redis.url, '--budgets-redis', redis.url, '--ledger', postgres.url];
    // A busy machine is late: that is no fault of the fleet's.
    const patience = ['--cache-redis-deadline', '400', '--budgets-redis-deadline', '400', '--max-delay', '0'];
    replicas = Array.from({ length: 3 }, () => new Stack({ policy, endpoint, serve: [...shared, ...patience], messageTimeout: '20s' }));
    for (const replica of replicas) await replica.start();
  }, 180_000);

  afterAll(async () => {
    for (const replica of replicas) await replica.stop();
    await simulator.close();
    await redis.remove();
    await postgres.remove();
  }, 60_000);

  async function ask(replica: Stack, workspace: string, content = 'What is DNS?'): Promise<Answer> {
    const response = await fetch(`${replica.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sluice-workspace': workspace },
      body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content }] }),
    });
    await response.arrayBuffer();
    const { status, headers } = response;
    return { status, decision: headers.get('x-sluice-decision'), cache: headers.get('x-sluice-cache') };
  }

  const restart = async (replica: Stack): Promise<void> => {
    await replica.stopSluice('SIGTERM');
    await replica.startSluice();
  };

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
    for (const replica of replicas) expect((await ask(replica, 'team')).status).toBe(429);
    const spent = async (): Promise<number> => (await recorded('team')).reduce((sum, { cost }) => sum + (cost ?? 0), 0);
    await expect.poll(spent, soon).toBeGreaterThan(0);
    expect(await spent()).toBeLessThanOrEqual(budget);
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
