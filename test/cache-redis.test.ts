import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ResponseCache, type CacheQuery, type Lookup, type PendingLookup } from '../src/cache/cache.ts';
import { decodeEntry, encodeEntry } from '../src/cache/redis/codec.ts';
import { redisClient } from '../src/lib/redis/connect.ts';
import { openRedis } from '../src/cache/redis/index.ts';
import type { BackendProblem } from '../src/cache/remote.ts';
import { answer, queryOf, type Pairs } from '../src/exchange/testing/cache-harness.ts';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { freePorts, Stack } from '../src/demo/stack.ts';
import { TestAuthority } from './kubernetes/support/pki.ts';
import { compiled } from './support/policy.ts';
import { redisThere, servers, TestRedis } from './support/redis.ts';
import { TestCluster } from './support/redis-cluster.ts';

const generation = compiled('version: 1\ndefaults: { cache: { mode: on, coalesce: 10 } }\n');
const json = (text: string): string =>
  JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }] });
let question = 0;
const fresh = (pairs: Pairs = []): CacheQuery =>
  queryOf(generation, JSON.stringify({ model: 'gpt-large', messages: [{ role: 'user', content: `question ${++question}` }] }), pairs)!;

interface Replica {
  readonly cache: ResponseCache;
  readonly problems: BackendProblem[];
}

const open: Replica[] = [];

/** One Sluice's cache. The deadline is generous: what is tested is not how busy this machine is. */
async function replica(
  url: string,
  options: { readonly deadlineMs?: number; readonly passwordFile?: string; readonly caFile?: string } = {},
): Promise<Replica> {
  const problems: BackendProblem[] = [];
  const remote = openRedis(
    { url, passwordFile: options.passwordFile ?? null, caFile: options.caFile ?? null, deadlineMs: options.deadlineMs ?? 2_000 },
    { onProblem: (problem) => problems.push(problem), onPurge: (filter) => cache.forget(filter) },
  );
  const cache: ResponseCache = new ResponseCache({ memoryBytes: 10_000_000, remote });
  const made = { cache, problems };
  open.push(made);
  await expect.poll(() => cache.stats().redis, { timeout: 20_000 }).toBe('up');
  return made;
}

/** The lookup's last word. */
async function look({ cache }: Replica, query: CacheQuery, near: string | null = null): Promise<Lookup> {
  let found: Lookup | PendingLookup = cache.lookup(query, () => near);
  while (found.kind === 'later') found = await found.result;
  return found;
}

async function fillOf(at: Replica, query: CacheQuery, near: string | null = null) {
  const found = await look(at, query, near);
  if (found.kind !== 'miss' || found.fill === null) throw new Error(`nothing to fill: ${found.kind}`);
  return found.fill;
}

const stateOf = (found: Lookup): string => (found.kind === 'unsatisfied' ? found.kind : found.state);
const textOf = (found: Lookup): string | null => (found.kind === 'hit' ? found.rendered.body.toString() : null);

afterEach(() => {
  for (const { cache } of open.splice(0)) cache.close();
});

describe('a value in Redis', () => {
  const entry = {
    key: 'a'.repeat(64),
    near: 'b'.repeat(64),
    api: 'openai-chat' as const,
    form: 'json' as const,
    body: Buffer.alloc(0),
    storedAt: 1,
    ttlMs: 2,
    keepMs: 3,
    workspace: 'w',
    provider: 'p',
    model: 'm',
    requestedModel: 'r',
    tier: null,
    tags: ['t'],
    usage: null,
    finishReason: 'stop',
    tookMs: 4,
  };

  it('comes back as it went, large ones smaller on the way', async () => {
    for (const body of [Buffer.from('x'), Buffer.from('text '.repeat(20_000)), Buffer.from([0xff, 0x00])]) {
      const value = await encodeEntry({ ...entry, body });
      expect(await decodeEntry(value)).toEqual({ ...entry, body });
      if (body.length > 1_024) expect(value.length).toBeLessThan(body.length / 10);
    }
  });

  it('of another hand is no answer', async () => {
    const value = await encodeEntry({ ...entry, body: Buffer.from('y'.repeat(5_000)) });
    const damaged = [
      Buffer.alloc(0),
      Buffer.from('hello'),
      value.subarray(0, 20),
      value.subarray(0, -5),
      Buffer.concat([Buffer.from([9]), value.subarray(1)]),
    ];
    for (const bytes of damaged) expect(await decodeEntry(bytes)).toBeNull();
    expect(await decodeEntry(await encodeEntry({ ...entry, key: 'short', body: Buffer.from('x') }))).toBeNull();
  });
});

for (const [name, server, there] of servers)
  describe.skipIf(!there)(`replicas on one ${name}`, () => {
    let redis: TestRedis;
    let raw: Redis;

    beforeAll(async () => {
      redis = await TestRedis.start({ server });
      raw = new Redis(redis.url);
      expect(await raw.info('server')).toMatch(name === 'Valkey' ? /^valkey_version:/m : /^redis_version:/m);
    });

    afterAll(async () => {
      raw.disconnect();
      await redis.remove();
    });

    it('share answers, and callers stay apart', async () => {
      const [a, b] = [await replica(redis.url), await replica(redis.url)];
      const mine = fresh([['authorization', 'Bearer a']]);
      answer(await fillOf(a, mine), json('shared'));
      await expect.poll(() => raw.exists(`sluice:c:{${mine.key}}`)).toBe(1);
      const found = await look(b, mine);
      expect([stateOf(found), textOf(found)]).toEqual(['hit', json('shared')]);
      // The second time it comes from memory, without a question.
      expect(b.cache.lookup(mine).kind).toBe('hit');
      expect(await raw.exists(`sluice:l:{${mine.key}}`)).toBe(0);
      expect(await raw.pttl(`sluice:c:{${mine.key}}`)).toBeGreaterThan(3_500_000);
    });

    it('share answers to questions that ask the same, by two more round trips', async () => {
      const [a, b] = [await replica(redis.url), await replica(redis.url)];
      const [mine, akin, third] = [fresh(), fresh(), fresh()];
      const near = `${mine.key.slice(1)}0`;
      answer(await fillOf(a, mine, near), json('near'));
      await expect.poll(() => raw.get(`sluice:n:${near}`)).toBe(mine.key);
      expect(await raw.pttl(`sluice:n:${near}`)).toBeGreaterThan(3_500_000);
      // An identical request in the meantime waits and gets the same result.
      const [found, also] = await Promise.all([look(b, akin, near), look(b, akin, near)]);
      expect([stateOf(found), textOf(found), stateOf(also)]).toEqual(['semantic', json('near'), 'semantic']);
      await expect.poll(() => raw.exists(`sluice:l:{${akin.key}}`)).toBe(0);
      expect(b.cache.stats().flights).toBe(0);
      // A purge of the entry takes it from them too.
      await a.cache.purge({ id: mine.key.slice(0, 16) });
      await expect.poll(() => b.cache.stats().entries).toBe(0);
      expect(stateOf(await look(b, third, near))).toBe('miss');
    });

    it('ask the provider once for what both are asked at the same time', async () => {
      const [a, b] = [await replica(redis.url), await replica(redis.url)];
      const query = fresh();
      const leader = await fillOf(a, query);
      const others = [...Array.from({ length: 5 }, () => look(b, query)), ...Array.from({ length: 5 }, () => look(a, query))];
      // The fifth waits once Redis has told it that somebody leads.
      await expect.poll(() => b.cache.stats().waiting).toBe(5);
      answer(leader, json('once'));
      for (const found of await Promise.all(others)) expect([stateOf(found), textOf(found)]).toEqual(['coalesced', json('once')]);
    });

    it('go on when the leading replica fails', async () => {
      const [a, b] = [await replica(redis.url), await replica(redis.url)];
      const query = fresh();
      const leader = await fillOf(a, query);
      const waiting = look(b, query);
      await expect.poll(() => b.cache.stats().waiting).toBe(1);
      leader.abandon();
      expect(stateOf(await waiting)).toBe('miss');
    });

    it('are emptied together', async () => {
      const [a, b] = [await replica(redis.url), await replica(redis.url)];
      const red = fresh([['x-sluice-workspace', 'red']]);
      const blue = fresh([['x-sluice-workspace', 'blue']]);
      for (const query of [red, blue]) {
        answer(await fillOf(a, query), json('x'));
        await expect.poll(() => raw.exists(`sluice:c:{${query.key}}`)).toBe(1);
        expect(stateOf(await look(b, query))).toBe('hit');
      }
      expect(await a.cache.purge({ workspace: 'red' })).toEqual({ memory: 1, redis: 1 });
      await expect.poll(() => b.cache.lookup(red)).toMatchObject({ kind: 'later', ms: 0 });
      expect(b.cache.lookup(blue).kind).toBe('hit');
      const { cache } = await replica(redis.url);
      expect((await cache.find(blue.key.slice(0, 16)))?.workspace).toBe('blue');
      expect(await cache.purge({ id: blue.key.slice(0, 16) })).toEqual({ memory: 0, redis: 1 });
    });

    it('take a value that they cannot read for none', async () => {
      const a = await replica(redis.url);
      const query = fresh();
      await raw.set(`sluice:c:{${query.key}}`, 'somebody else’s');
      expect(stateOf(await look(a, query))).toBe('miss');
      // Nor one under a key that is not its own.
      const other = fresh();
      answer(await fillOf(a, other), json('x'));
      await expect.poll(() => raw.exists(`sluice:c:{${other.key}}`)).toBe(1);
      const third = fresh();
      await raw.copy(`sluice:c:{${other.key}}`, `sluice:c:{${third.key}}`);
      expect(stateOf(await look(a, third))).toBe('miss');
    });

    it('answer only-if-cached from Redis too, and lead nobody by it', async () => {
      const a = await replica(redis.url);
      const query = { ...fresh(), controls: { noStore: false, noCache: false, maxAge: null, onlyIfCached: true, exact: false, tags: [] } };
      expect(stateOf(await look(a, query))).toBe('unsatisfied');
      expect(await raw.exists(`sluice:l:{${query.key}}`)).toBe(0);
    });
  });

for (const [name, server, there] of servers)
  describe.skipIf(!there)(`a ${name} that fails`, () => {
    it('is a miss while it stands still, is soon asked no more, and is used again when it goes on', async () => {
      const redis = await TestRedis.start({ server });
      onTestFinished(() => redis.remove());
      const a = await replica(redis.url, { deadlineMs: 50 });
      await redis.pause();
      for (let asked = 0; asked < 5; asked++) expect(stateOf(await look(a, fresh()))).toBe('miss');
      expect(a.problems.filter((problem) => problem === 'timeout')).toHaveLength(5);
      // Now nobody waits for it.
      expect(a.cache.stats().redis).toBe('down');
      expect(a.cache.lookup(fresh()).kind).toBe('miss');
      const kept = fresh();
      answer(await fillOf(a, kept), json('in memory'));
      expect(a.cache.lookup(kept).kind).toBe('hit');
      await redis.resume();
      await expect
        .poll(
          async () => {
            await look(a, fresh());
            return a.cache.stats().redis;
          },
          { timeout: 10_000 },
        )
        .toBe('up');
    });

    it('is a miss when it is killed, and is used again after its restart', async () => {
      const redis = await TestRedis.start({ server });
      onTestFinished(() => redis.remove());
      const a = await replica(redis.url);
      await redis.stop();
      await expect.poll(() => a.cache.stats().redis).toBe('down');
      const query = fresh();
      answer(await fillOf(a, query), json('x'));
      expect(a.cache.lookup(query).kind).toBe('hit');
      await redis.restart();
      await expect.poll(() => a.cache.stats().redis, { timeout: 10_000 }).toBe('up');
      const later = fresh();
      answer(await fillOf(a, later), json('y'));
      const b = await replica(redis.url);
      await expect.poll(async () => stateOf(await look(b, later))).toBe('hit');
    });

    it('that was never there holds nothing up', () => {
      const remote = openRedis(
        { url: 'redis://127.0.0.1:1', passwordFile: null, caFile: null, deadlineMs: 5 },
        { onProblem: () => undefined, onPurge: () => undefined },
      );
      const cache = new ResponseCache({ memoryBytes: 1_000_000, remote });
      open.push({ cache, problems: [] });
      expect(cache.lookup(fresh()).kind).toBe('miss');
    });
  });

for (const [name, server, there] of servers)
  describe.skipIf(!there)(`ways to reach a ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    async function works(url: string, options: Parameters<typeof replica>[1] = {}): Promise<void> {
      const [a, b] = [await replica(url, options), await replica(url, options)];
      const query = fresh();
      answer(await fillOf(a, query), json('x'));
      await expect.poll(async () => stateOf(await look(b, query))).toBe('hit');
      expect(await a.cache.purge({ id: query.key.slice(0, 16) })).toEqual({ memory: 1, redis: 1 });
      expect([...a.problems, ...b.problems]).toEqual([]);
    }

    it('a user with a password from a file, over TLS', async () => {
      const authority = new TestAuthority(folder);
      authority.certify('redis', '/CN=redis', ['IP:127.0.0.1']);
      const passwordFile = join(folder, 'password');
      writeFileSync(passwordFile, 'secret-1\n');
      const redis = await TestRedis.start({
        server,
        files: Object.fromEntries(['redis.crt', 'redis.key', 'ca.crt'].map((file) => [file, readFileSync(authority.path(file), 'utf8')])),
        args: (port) => [
          '--tls-port',
          String(port),
          '--port',
          '0',
          '--save',
          '',
          '--tls-cert-file',
          'redis.crt',
          '--tls-key-file',
          'redis.key',
          '--tls-ca-cert-file',
          'ca.crt',
          '--tls-auth-clients',
          'no',
          // Only what Sluice needs.
          '--user',
          'sluice',
          'on',
          '>secret-1',
          '~sluice:*',
          '&sluice:*',
          '-@all',
          '+get',
          '+set',
          '+del',
          '+unlink',
          '+getrange',
          '+pttl',
          '+scan',
          '+evalsha',
          '+eval',
          '+publish',
          '+subscribe',
          '+info',
          '+select',
          '+client',
          '+ping',
          '+hello',
        ],
      });
      onTestFinished(() => redis.remove());
      await works(`rediss://sluice@127.0.0.1:${redis.port}`, { passwordFile, caFile: authority.path('ca.crt') });
    });

    it('a cluster of three nodes, also when one of them is gone', async () => {
      const cluster = await TestCluster.start(3, server);
      onTestFinished(() => cluster.stop());
      await works(cluster.url);
      const [a, b] = [await replica(cluster.url), await replica(cluster.url)];
      const queries = Array.from({ length: 60 }, () => fresh([['x-sluice-workspace', 'spread']]));
      for (const query of queries) answer(await fillOf(a, query, `${query.key.slice(1)}0`), json('x'));
      await expect.poll(async () => (await cluster.keys('sluice:c:*')).map((keys) => keys.length > 5)).toEqual([true, true, true]);
      await expect.poll(async () => (await cluster.keys('sluice:n:*')).flat().length).toBe(60);
      for (const query of queries.slice(0, 20)) expect(stateOf(await look(b, query))).toBe('hit');
      for (const query of queries.slice(0, 20))
        expect(stateOf(await look(b, fresh([['x-sluice-workspace', 'spread']]), `${query.key.slice(1)}0`))).toBe('semantic');
      expect((await a.cache.purge({ workspace: 'spread' })).redis).toBe(60);
      await expect.poll(() => b.cache.stats().entries).toBe(0);
      // With one node gone its keys are misses; those of the others are still shared.
      for (const query of queries) answer(await fillOf(a, query), json('y'));
      await expect.poll(async () => (await cluster.keys('sluice:c:*')).flat().length).toBe(60);
      const lost = new Set((await cluster.keys('sluice:c:*'))[2]);
      expect(lost.size).toBeGreaterThan(5);
      await cluster.nodes[2]!.stop();
      // What is lost is waited for: where that is asked the deadline is short.
      const [c, hasty] = [await replica(cluster.url), await replica(cluster.url, { deadlineMs: 300 })];
      const isLost = ({ key }: CacheQuery): boolean => lost.has(`sluice:c:{${key}}`);
      for (const query of queries.filter((one) => !isLost(one))) expect(stateOf(await look(c, query))).toBe('hit');
      for (const query of queries.filter(isLost)) expect(stateOf(await look(hasty, query))).toBe('miss');
    });

    it('a cluster whose slots move to another node while it is asked', async () => {
      const cluster = await TestCluster.start(2, server);
      onTestFinished(() => cluster.stop());
      const a = await replica(cluster.url);
      const slotOf = async ({ key }: CacheQuery): Promise<number> =>
        Number(await cluster.admins[0]!.call('CLUSTER', 'KEYSLOT', `sluice:c:{${key}}`));
      // Twenty of the first node's keys, each in a slot of its own.
      const moving = new Map<number, CacheQuery>();
      while (moving.size < 20) {
        const query = fresh();
        const slot = await slotOf(query);
        if (slot < 8_192) moving.set(slot, query);
      }
      for (const [slot, query] of moving) answer(await fillOf(a, query), json(String(slot)));
      await expect.poll(async () => (await cluster.keys('sluice:c:*')).map((keys) => keys.length)).toEqual([20, 0]);
      const states = new Map<string, number>();
      let going = true;
      const app = async (): Promise<void> => {
        // One that has nothing in memory, and knows the slots' old places.
        const asking = await replica(cluster.url);
        while (going) {
          for (const [slot, query] of moving) {
            const found = await look(asking, query);
            states.set(stateOf(found), (states.get(stateOf(found)) ?? 0) + 1);
            if (found.kind === 'hit') expect(textOf(found)).toBe(json(String(slot)));
            asking.cache.forget({});
            if (found.kind === 'miss') found.fill?.abandon();
            await new Promise((resolve) => setImmediate(resolve));
          }
        }
      };
      const apps = [app(), app()];
      await expect.poll(() => states.get('hit') ?? 0).toBeGreaterThan(20);
      const b = await replica(cluster.url);
      for (const [slot, query] of moving) {
        await cluster.move(slot, 0, 1, async () => {
          // The key has not moved yet, while its slot is migrating.
          expect(stateOf(await look(b, query))).toBe('hit');
        });
      }
      // What is asked for the first time meanwhile is a miss, and its answer is kept on the new node.
      let late = fresh();
      while (moving.has(await slotOf(late))) late = fresh();
      const slot = await slotOf(late);
      const [from, to] = slot < 8_192 ? ([0, 1] as const) : ([1, 0] as const);
      await cluster.move(slot, from, to, async () => {
        answer(await fillOf(b, late), json('late'));
        await expect.poll(async () => (await cluster.keys(`sluice:c:{${late.key}}`))[to]).toHaveLength(1);
        expect(stateOf(await look(a, late))).toBe('hit');
      });
      expect(b.problems).toEqual([]);
      const before = states.get('hit') ?? 0;
      await expect.poll(() => states.get('hit') ?? 0).toBeGreaterThan(before + 20);
      going = false;
      await Promise.all(apps);
      const nameOf = ({ key }: CacheQuery): string => `sluice:c:{${key}}`;
      const moved = [...moving.values()].map(nameOf);
      const [first, second] = to === 1 ? [[], [...moved, nameOf(late)]] : [[nameOf(late)], moved];
      expect((await cluster.keys('sluice:c:*')).map((keys) => keys.sort())).toEqual([first.sort(), second.sort()]);
      // Those who ask first afterwards find all of them, and one who learnt the places before does too.
      for (const one of [a, await replica(cluster.url)]) {
        one.cache.forget({});
        for (const query of moving.values()) expect(stateOf(await look(one, query))).toBe('hit');
      }
    });

    it('a Sentinel', async () => {
      const [port] = await freePorts(1);
      const redis = await TestRedis.start({ server, opens: [port!] });
      onTestFinished(() => redis.remove());
      const sentinel = await TestRedis.start({
        server,
        port: port!,
        beside: redis,
        files: { 'sentinel.conf': `port ${port}\nsentinel monitor main 127.0.0.1 ${redis.port} 1\n` },
        args: () => ['sentinel.conf', '--sentinel'],
      });
      onTestFinished(() => sentinel.remove());
      await works(`redis-sentinel://127.0.0.1:${sentinel.port}/main`);
    });

    it.each(['http://x', 'redis://a,b', 'redis://host/zero', 'redis-sentinel://host', 'redis://ho st'])(
      'refuses %s, and quotes no password',
      (url) => {
        expect(() => redisClient({ url: url.replace('//', '//user:hush@'), passwordFile: null, caFile: null })).toThrow(
          expect.objectContaining({ code: 'SLUICE_CLI_USAGE', message: expect.not.stringContaining('hush') as string }) as Error,
        );
      },
    );
  });

describe.skipIf(!redisThere)('apps behind an Envoy', () => {
  it('never notice that Redis is paused, killed and started again', async () => {
    const redis = await TestRedis.start();
    onTestFinished(() => redis.remove());
    const simulator = new ProviderSimulator();
    onTestFinished(() => simulator.close());
    const stack = new Stack({
      policy:
        'version: 1\ndefaults:\n  candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] }\n  cache: { mode: on }\n',
      endpoint: await simulator.listen(),
      serve: ['--cache-redis', redis.url],
    });
    onTestFinished(() => stack.stop());
    await stack.start();
    const states: Record<string, number> = {};
    let going = true;
    let answered = 0;
    const client = async (): Promise<void> => {
      while (going) {
        const body = JSON.stringify({
          model: 'gpt-5.1',
          messages: [{ role: 'user', content: `What is DNS? (${Math.floor(Math.random() * 1e9)})` }],
        });
        for (let repeat = 0; repeat < 2; repeat++) {
          const response = await fetch(`${stack.url}/v1/chat/completions`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body,
          });
          await response.text();
          const state = `${response.status} ${response.headers.get('x-sluice-cache') ?? 'undecided'}`;
          states[state] = (states[state] ?? 0) + 1;
          answered++;
        }
      }
    };
    onTestFinished(() => void (going = false));
    const clients = Array.from({ length: 4 }, client);
    const metrics = (): Promise<string> => fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
    const timeouts = async (): Promise<number> =>
      Number(/^llm_proxy_cache_backend_problem_total\{kind="timeout"\} (\d+)$/m.exec(await metrics())?.[1] ?? 0);
    /** Each client has been answered some times more. */
    const on = async (): Promise<void> => {
      const before = answered;
      await expect.poll(() => answered, { timeout: 20_000 }).toBeGreaterThan(before + 20);
    };
    await on();
    await redis.pause();
    await expect.poll(timeouts, { timeout: 20_000 }).toBeGreaterThan(0);
    await on();
    await redis.resume();
    await on();
    await redis.stop();
    await on();
    await redis.restart();
    await on();
    going = false;
    await Promise.all(clients);
    expect(Object.keys(states).filter((state) => !state.startsWith('200 '))).toEqual([]);
    expect(Object.keys(states)).toEqual(expect.arrayContaining(['200 hit', '200 miss']));
  });
});
