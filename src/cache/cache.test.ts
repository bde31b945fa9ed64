import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compiled } from '../../test/support/policy.ts';
import { purgeFilterOf } from './admin.ts';
import { ResponseCache, type CacheQuery, type Lookup, type PendingLookup } from './cache.ts';
import type { StoreResult } from './fill.ts';
import { readUsage } from '../apis/usage.ts';
import { answer, goodEnding, queryOf, type Pairs } from '../exchange/testing/cache-harness.ts';

const generation = compiled(`
version: 1
defaults:
  cache: { mode: on, ttl: 60, ttlByTier: { complex: 10, standard: 0 }, ttlByRule: { special: 5 }, staleWhileRevalidate: 30, staleIfError: 300, coalesce: 20, maxAnswerBytes: 5000 }
  rules: [{ name: special, when: 'request.stream', then: { keep: true } }]
sections:
  - { name: patient, match: { workspace: [alone] }, cache: { mode: on, coalesce: 0 } }
`);

let clock = 0;
let cache: ResponseCache;
let stored: StoreResult[];

beforeEach(() => {
  vi.useFakeTimers();
  clock = 1_000_000_000;
  stored = [];
  cache = new ResponseCache({ memoryBytes: 100_000, now: () => clock, onStore: (result) => stored.push(result) });
});

afterEach(() => {
  cache.close();
  vi.useRealTimers();
});

const json = (text: string): string =>
  JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }] });
const shortUsage = readUsage('openai-chat', { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 }, '');
const longUsage = readUsage('openai-chat', { prompt_tokens: 9, completion_tokens: 900, total_tokens: 909 }, '');
const thoughts = json('').replace('""', '"","reasoning_content":"Hm."');
const query = (prompt: string, pairs: Pairs = []): CacheQuery =>
  queryOf(generation, JSON.stringify({ model: 'gpt-large', messages: [{ role: 'user', content: prompt }] }), pairs)!;

function now(found: Lookup | PendingLookup): Lookup {
  if (found.kind === 'later') throw new Error('has to wait');
  return found;
}

function fillOf(found: Lookup | PendingLookup) {
  const lookup = now(found);
  if (lookup.kind !== 'miss' || lookup.fill === null) throw new Error('nothing to fill');
  return lookup.fill;
}

const stateOf = (found: Lookup | PendingLookup): string => (found.kind === 'hit' || found.kind === 'miss' ? found.state : found.kind);

describe('freshness', () => {
  it('ends with its time; another request then fetches while others get the old answer', () => {
    answer(fillOf(cache.lookup(query('a'))), json('1'));
    clock += 59_999;
    const hit = now(cache.lookup(query('a')));
    expect(hit).toMatchObject({ kind: 'hit', state: 'hit', age: 59 });
    clock += 1;
    const leader = cache.lookup(query('a'));
    expect(stateOf(leader)).toBe('miss');
    expect(stateOf(cache.lookup(query('a')))).toBe('stale');
    answer(fillOf(leader), json('2'));
    expect(now(cache.lookup(query('a')))).toMatchObject({ state: 'hit', age: 0 });
  });

  it('is set by rule, then tier, then for all; none of it keeps nothing', () => {
    const life = (ending: object): number => {
      const prompt = JSON.stringify(ending);
      answer(fillOf(cache.lookup(query(prompt))), json('x'), ending);
      const found = now(cache.lookup(query(prompt)));
      return found.kind === 'hit' ? found.entry.ttlMs : 0;
    };
    expect(life({ tier: 'simple' })).toBe(60_000);
    expect(life({ tier: 'complex' })).toBe(10_000);
    expect(life({ tier: 'complex', rule: 'special' })).toBe(5_000);
    expect(life({ tier: 'standard' })).toBe(0);
  });

  it('serves stale while the provider fails, tries it again after a while, and only within the window', () => {
    answer(fillOf(cache.lookup(query('a'))), json('1'));
    clock += 100_000;
    answer(fillOf(cache.lookup(query('a'))), '{}', { outcome: 'provider-error', status: 503 });
    expect(stateOf(cache.lookup(query('a')))).toBe('stale');
    clock += 10_000;
    const probe = cache.lookup(query('a'));
    expect(stateOf(probe)).toBe('miss');
    answer(fillOf(probe), '{}', { outcome: 'provider-error', status: 503 });
    clock += 1_000;
    expect(stateOf(cache.lookup(query('a')))).toBe('stale');
    clock += 300_000;
    expect(stateOf(cache.lookup(query('a')))).toBe('miss');
  });

  it('does not take an app’s mistake for an outage', () => {
    answer(fillOf(cache.lookup(query('a'))), json('1'));
    clock += 100_000;
    answer(fillOf(cache.lookup(query('a'))), '{}', { outcome: 'provider-error', status: 400 });
    expect(stateOf(cache.lookup(query('a')))).toBe('miss');
  });
});

describe('what is kept', () => {
  it.each<[string, (fill: ReturnType<typeof fillOf>) => void, StoreResult]>([
    ['a good answer', (fill) => answer(fill, json('x')), 'stored'],
    ['a tool call', (fill) => answer(fill, json('x'), { finishReason: 'tool_calls' }), 'stored'],
    ['one that was cut by its length', (fill) => answer(fill, json('x'), { finishReason: 'length' }), 'finish'],
    ['one that a filter stopped', (fill) => answer(fill, json('x'), { finishReason: 'content_filter' }), 'finish'],
    ['one that does not say how it ended', (fill) => answer(fill, json('x'), { finishReason: null }), 'finish'],
    ['an error', (fill) => answer(fill, json('x'), { outcome: 'provider-error', status: 500 }), 'status'],
    ['an error inside a 200', (fill) => answer(fill, json('x'), { outcome: 'provider-error' }), 'incomplete'],
    ['too large a one', (fill) => answer(fill, json('x'.repeat(5_000))), 'too-large'],
    ['one that never came', (fill) => fill.settle({ ...goodEnding, outcome: 'unobserved', status: null }), 'abandoned'],
    [
      'a compressed one',
      (fill) => {
        fill.head(200, 'application/json', 'gzip');
        fill.push(Buffer.from('x'));
        fill.complete();
        fill.settle(goodEnding);
      },
      'encoded',
    ],
    [
      'one whose end nobody saw',
      (fill) => {
        fill.head(200, 'text/event-stream', '');
        fill.push(Buffer.from('data: {}\n\n'));
        fill.settle(goodEnding);
      },
      'incomplete',
    ],
    ['one without a word', (fill) => answer(fill, json('')), 'incomplete'],
    ['a short one', (fill) => answer(fill, json('7')), 'stored'],
    ['one that says to call tools and calls none', (fill) => answer(fill, json(''), { finishReason: 'tool_calls' }), 'incomplete'],
    ['thoughts alone', (fill) => answer(fill, thoughts, { usage: longUsage }), 'incomplete'],
    ['thoughts and a word', (fill) => answer(fill, thoughts.replace('""', '"x"'), { usage: longUsage }), 'stored'],
    ['sound', (fill) => answer(fill, json('').replace('""', 'null,"audio":{"data":"UklG"}')), 'stored'],
    [
      'a stream without a word',
      (fill) => {
        fill.head(200, 'text/event-stream', '');
        const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };
        for (const [delta, finish_reason] of [
          [{ role: 'assistant', content: '' }, null],
          [{}, 'stop'],
        ])
          fill.push(Buffer.from(`data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, delta, finish_reason }] })}\n\n`));
        fill.complete();
        fill.settle({ ...goodEnding, usage: shortUsage });
      },
      'incomplete',
    ],
    ['one to which the policy gives no time', (fill) => answer(fill, json('x'), { tier: 'standard' }), 'no-time'],
  ])('%s', (_name, play, result) => {
    play(fillOf(cache.lookup(query('a'))));
    expect(stored).toEqual([result]);
    expect(stateOf(cache.lookup(query('a')))).toBe(result === 'stored' ? 'hit' : 'miss');
    expect(cache.stats().collecting).toBe(0);
  });

  it('stays within its bytes, newest and most used first', () => {
    answer(fillOf(cache.lookup(query('used'))), json('x'));
    for (let index = 0; index < 500; index++) {
      answer(fillOf(cache.lookup(query(`p${index}`))), json('y'.repeat(1_000)));
      expect(stateOf(cache.lookup(query('used')))).toBe('hit');
      expect(cache.stats().bytes).toBeLessThanOrEqual(100_000);
    }
    expect(cache.stats().evictions).toBeGreaterThan(400);
  });
});

describe('a question that asks the same', () => {
  const asks = (near: string | null, prompt: string, pairs: Pairs = []) => cache.lookup(query(prompt, pairs), () => near);
  const hitOf = (found: Lookup | PendingLookup): string => {
    const lookup = now(found);
    return lookup.kind === 'hit' ? `${lookup.state} ${lookup.rendered.body.toString()}` : stateOf(lookup);
  };

  it('gets the answer of the newest one that was asked, while that is fresh', () => {
    answer(fillOf(asks('n', 'a')), json('1'));
    expect(hitOf(asks('n', 'b'))).toBe(`semantic ${json('1')}`);
    expect(hitOf(asks('n', 'a'))).toBe(`hit ${json('1')}`);
    expect(hitOf(asks('m', 'b'))).toBe('miss');
    expect(hitOf(asks(null, 'c'))).toBe('miss');
    answer(fillOf(asks('n', 'd', [['cache-control', 'no-cache']])), json('4'));
    expect(hitOf(asks('n', 'e'))).toBe(`semantic ${json('4')}`);
    clock += 60_000;
    answer(fillOf(asks('z', 'z')), '{}', { outcome: 'provider-error', status: 503 });
    expect(hitOf(asks('n', 'e'))).toBe('miss');
  });

  it('does not when its caller wants the answer to this very request, or a newer one', () => {
    answer(fillOf(asks('n', 'a')), json('1'));
    clock += 5_000;
    expect(hitOf(asks('n', 'b', [['x-sluice-cache', 'exact']]))).toBe('miss');
    expect(hitOf(asks('n', 'c', [['cache-control', 'max-age=4']]))).toBe('miss');
    expect(hitOf(asks('n', 'd', [['cache-control', 'no-store']]))).toBe('bypass');
    expect(hitOf(asks('n', 'e', [['cache-control', 'only-if-cached']]))).toBe(`semantic ${json('1')}`);
  });

  it('is forgotten with its entry', () => {
    answer(fillOf(asks('n', 'a')), json('1'));
    expect(cache.forget({ id: query('a').key.slice(0, 8) })).toBe(1);
    expect(hitOf(asks('n', 'b'))).toBe('miss');
  });

  it('is looked for only when the answer itself is not there', () => {
    answer(fillOf(asks('n', 'a')), json('1'));
    let asked = 0;
    cache.lookup(query('a'), () => String(asked++));
    expect(asked).toBe(0);
    cache.lookup(query('b'), () => String(asked++));
    expect(asked).toBe(1);
  });
});

describe('identical requests in flight', () => {
  const follow = (prompt: string, pairs: Pairs = []): PendingLookup => {
    const found = cache.lookup(query(prompt, pairs));
    if (found.kind !== 'later') throw new Error(found.kind);
    return found;
  };

  it('get the leader’s answer', async () => {
    const leader = fillOf(cache.lookup(query('a')));
    const followers = Array.from({ length: 50 }, () => follow('a'));
    expect(cache.stats()).toMatchObject({ flights: 1, waiting: 50 });
    answer(leader, json('once'));
    for (const { result } of followers) expect(await result).toMatchObject({ kind: 'hit', state: 'coalesced' });
    expect(cache.stats()).toMatchObject({ flights: 0, waiting: 0 });
    expect(stored).toEqual(['stored']);
  });

  it('do not get an answer to which the policy gives no time', async () => {
    const leader = fillOf(cache.lookup(query('a')));
    const follower = follow('a');
    answer(leader, json('x'), { tier: 'standard' });
    expect(stateOf(await follower.result)).toBe('miss');
  });

  it.each<[string, (leader: ReturnType<typeof fillOf>) => void]>([
    ['fails', (leader) => answer(leader, '{}', { outcome: 'provider-error', status: 500 })],
    [
      'takes too long to finish its answer',
      (leader) => {
        leader.head(200, 'text/event-stream', '');
        vi.advanceTimersByTime(19_999);
        expect(cache.stats().waiting).toBe(2);
        vi.advanceTimersByTime(1);
      },
    ],
  ])('go on alone when the leader %s', async (_name, play) => {
    const leader = fillOf(cache.lookup(query('a')));
    const followers = [follow('a'), follow('a')];
    play(leader);
    for (const { result } of followers) expect(stateOf(await result)).toBe('miss');
    expect(cache.stats().waiting).toBe(0);
  });

  it.each<[string, (leader: ReturnType<typeof fillOf>) => void]>([
    ['is given up', (leader) => leader.abandon()],
    ['is not known to Envoy', (leader) => leader.doubt()],
    ['gives no sign of life', () => vi.advanceTimersByTime(10_000)],
    ['has had all the time that Envoy gives it', () => vi.advanceTimersByTime(2_500)],
  ])('ask in its place when the leader %s: one asks, and the others wait for that', async (name, play) => {
    const leader = fillOf(cache.lookup(query('a')));
    if (name.startsWith('has had')) leader.within(2_000);
    const [next, last] = [follow('a'), follow('a')];
    play(leader);
    const second = await next.result;
    expect(stateOf(second)).toBe('miss');
    const [later] = [follow('a')];
    expect(cache.stats()).toMatchObject({ flights: 1, waiting: 2 });
    answer(fillOf(second), json('at last'));
    for (const { result } of [last, later]) expect(await result).toMatchObject({ kind: 'hit', state: 'coalesced' });
    expect(cache.stats()).toMatchObject({ flights: 0, waiting: 0 });
  });

  it('get the answer of a leader that was doubted and had one after all', async () => {
    const leader = fillOf(cache.lookup(query('a')));
    const [next, last] = [follow('a'), follow('a')];
    leader.doubt();
    const second = await next.result;
    answer(leader, json('late'));
    expect(await last.result).toMatchObject({ kind: 'hit', state: 'coalesced' });
    answer(fillOf(second), json('later'));
    expect(cache.stats()).toMatchObject({ flights: 0, waiting: 0 });
  });

  it('do not doubt a leader whose answer has begun', async () => {
    const leader = fillOf(cache.lookup(query('a')));
    const follower = follow('a');
    leader.head(200, 'application/json', '');
    leader.doubt();
    expect(cache.stats()).toMatchObject({ flights: 1, waiting: 1 });
    answer(leader, json('x'));
    expect(await follower.result).toMatchObject({ kind: 'hit' });
  });

  it('have a new leader at once when the last one was doubted and nobody waited', () => {
    fillOf(cache.lookup(query('a'))).doubt();
    expect(stateOf(cache.lookup(query('a')))).toBe('miss');
    expect(cache.stats().flights).toBe(1);
  });

  it('have a new leader once the first has had its time', () => {
    cache.lookup(query('a'));
    clock += 20_000;
    expect(stateOf(cache.lookup(query('a')))).toBe('miss');
    expect(cache.stats().flights).toBe(1);
  });

  it('may leave', async () => {
    cache.lookup(query('a'));
    const follower = follow('a');
    follower.leave();
    await follower.result;
    expect(cache.stats().waiting).toBe(0);
  });

  it('do not wait where the policy says so', () => {
    const alone: Pairs = [['x-sluice-workspace', 'alone']];
    cache.lookup(query('a', alone));
    expect(stateOf(cache.lookup(query('a', alone)))).toBe('miss');
  });
});

describe('a purge', () => {
  it('removes what all its conditions name', () => {
    const put = (prompt: string, workspace: string, tag: string, model: string): void => {
      answer(
        fillOf(
          cache.lookup(
            query(prompt, [
              ['x-sluice-workspace', workspace],
              ['x-sluice-cache', `tag=${tag}`],
            ]),
          ),
        ),
        json(prompt),
        { model },
      );
    };
    put('1', 'red', 'a', 'gpt-small');
    put('2', 'red', 'b', 'gpt-middle');
    clock += 5_000;
    put('3', 'blue', 'a', 'gpt-small');
    expect(cache.forget({ workspace: 'red', tag: 'b', model: 'gpt-small' })).toBe(0);
    expect(cache.forget({ workspace: 'red', tag: 'a' })).toBe(1);
    expect(cache.forget({ olderThan: 5 })).toBe(1);
    expect(cache.forget({ model: 'gpt-large' })).toBe(1);
    expect(cache.stats().entries).toBe(0);
  });

  it('refuses what is not clear', () => {
    const read = (text: string) => purgeFilterOf(new URLSearchParams(text));
    expect(read('all=true')).toEqual({});
    expect(read('workspace=a&older-than=60')).toEqual({ workspace: 'a', olderThan: 60 });
    for (const bad of ['', 'all=true&tag=a', 'tags=a', 'older-than=-1', 'id=12', 'tag=']) expect(read(bad)).toBeTypeOf('string');
  });
});
