import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Cooldowns } from '../src/route/cooldowns.ts';
import { RedisCooldowns } from '../src/route/redis-cooldowns.ts';
import { plain, redisThere, TestRedis } from './support/redis.ts';

const target = { provider: 'mistral', model: 'mistral-large-latest' };

interface Replica {
  readonly cooldowns: Cooldowns;
  readonly share: RedisCooldowns;
  readonly problems: () => number;
  /** Lets this replica's clock run ahead. */
  pass(ms: number): void;
}

const open: Replica[] = [];

function replica(url: string): Replica {
  let ahead = 0;
  let problems = 0;
  const share = new RedisCooldowns({
    url,
    passwordFile: null,
    caFile: null,
    onChange: (which, change) => cooldowns.heard(which, change),
    onProblem: () => problems++,
  });
  const cooldowns: Cooldowns = new Cooldowns(() => performance.now() + ahead, share);
  const made = { cooldowns, share, problems: () => problems, pass: (ms: number) => void (ahead += ms) };
  open.push(made);
  return made;
}

const states = ({ cooldowns }: Replica): string[] =>
  cooldowns.states().map(({ target: { provider, model }, state }) => `${provider}/${model} ${state}`);
const soon = { timeout: 10_000, interval: 20 };

describe.skipIf(!redisThere)('cool-downs in a Redis', () => {
  let redis: TestRedis;

  beforeAll(async () => {
    redis = await TestRedis.start();
  });

  afterEach(() => {
    for (const { share } of open.splice(0)) share.close();
  });

  afterAll(() => redis.remove());

  it('are told to replicas that are there and to those that come later, and end for all', async () => {
    const [first, second] = [replica(redis.url), replica(redis.url)];
    // Repeated until both have connected: earlier messages are lost.
    await expect
      .poll(() => {
        first.cooldowns.ended(target, { kind: 'limited', retryAfterMs: 60_000 });
        return states(second);
      }, soon)
      .toEqual(['mistral/mistral-large-latest cooling']);
    const third = replica(redis.url);
    await expect.poll(() => states(third), soon).toEqual(['mistral/mistral-large-latest cooling']);
    for (const one of [first, second, third]) one.pass(70_000);
    // One of them, whoever asks first, may try it.
    await expect.poll(() => [first, second, third].filter(({ cooldowns }) => !cooldowns.cooling(target)).length, soon).toBe(1);
    const leader = [first, second, third].find(({ cooldowns }) => !cooldowns.cooling(target))!;
    leader.cooldowns.began(target);
    expect([first, second, third].filter(({ cooldowns }) => !cooldowns.cooling(target))).toHaveLength(0);
    leader.cooldowns.ended(target, { kind: 'ok' });
    await expect.poll(() => [first, second, third].map(states), soon).toEqual([[], [], []]);
  });

  it('stay each replica’s own while Redis is away, which is counted, and are caught up with afterwards', async () => {
    const [first, second] = [replica(redis.url), replica(redis.url)];
    const key = { provider: 'deepseek', model: 'deepseek-chat' };
    await expect
      .poll(() => {
        first.cooldowns.ended(key, { kind: 'key-dead' });
        return states(second);
      }, soon)
      .toEqual(['deepseek/* cooling']);
    await redis.stop();
    await expect.poll(() => first.problems() > 0 && second.problems() > 0, soon).toBe(true);
    first.cooldowns.ended(target, { kind: 'limited', retryAfterMs: 60_000 });
    expect(states(first)).toContain('mistral/mistral-large-latest cooling');
    expect(states(second)).toEqual(['deepseek/* cooling']);
    first.pass(60_000);
    // Redis is unreachable: the replica decides alone.
    await expect.poll(() => first.cooldowns.cooling(target), soon).toBe(false);
    await redis.restart();
    // The restarted Redis is empty; what is found out from now on is shared again.
    const other = { provider: 'openai', model: 'gpt-4.1' };
    await expect
      .poll(() => {
        second.cooldowns.ended(other, { kind: 'limited', retryAfterMs: 600_000 });
        return states(first);
      }, soon)
      .toContain('openai/gpt-4.1 cooling');
  });

  it('need no more rights than the cache page lists', async () => {
    const page = readFileSync(new URL('../docs/cache.md', import.meta.url), 'utf8');
    const commands = /and the commands `([^`]+)`/.exec(page)?.[1]?.split(' ') ?? [];
    const guarded = await TestRedis.start({
      args: (port) => [
        ...plain(port),
        '--user',
        'sluice',
        'on',
        '>secret',
        '~sluice:*',
        '&sluice:*',
        '-@all',
        ...commands.map((command) => `+${command}`),
      ],
    });
    try {
      const url = `redis://sluice:secret@127.0.0.1:${guarded.port}`;
      const [first, second] = [replica(url), replica(url)];
      await expect
        .poll(() => {
          first.cooldowns.ended(target, { kind: 'limited', retryAfterMs: 60_000 });
          return states(second);
        }, soon)
        .toEqual(['mistral/mistral-large-latest cooling']);
      const third = replica(url);
      await expect.poll(() => states(third), soon).toEqual(['mistral/mistral-large-latest cooling']);
      second.pass(70_000);
      await expect.poll(() => second.cooldowns.cooling(target), soon).toBe(false);
    } finally {
      await guarded.remove();
    }
  });

  it('believe nothing that no replica has said', async () => {
    const one = replica(redis.url);
    const strange = (): ReturnType<Cooldowns['states']> =>
      one.cooldowns.states().filter(({ target: { provider } }) => provider.startsWith('p'));
    const { Redis } = await import('ioredis');
    const client = new Redis(redis.url);
    try {
      for (const text of [
        'no json',
        '{"provider":1}',
        '{"from":"x","provider":"p","model":"m","ms":-5,"lastMs":1}',
        JSON.stringify({ from: 'x', provider: 'p'.repeat(600), model: 'm', ms: 1e9, lastMs: 1 }),
      ])
        await client.publish('sluice:cooldown', text);
      await expect
        .poll(async () => {
          await client.publish('sluice:cooldown', JSON.stringify({ from: 'x', provider: 'p', model: 'm', ms: 1e12, lastMs: 1 }));
          return strange();
        }, soon)
        .toHaveLength(1);
      expect(strange()[0]!.remainingMs).toBeLessThanOrEqual(600_000);
    } finally {
      client.disconnect();
    }
  });
});
