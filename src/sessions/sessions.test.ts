import { describe, expect, it } from 'vitest';
import { exchange, generation, input, model, openai, ref, section, usage } from '../../test/support/decision.ts';
import { redisThere, TestRedis } from '../../test/support/redis.ts';
import type { Tier } from '../classify/types.ts';
import { readExchange } from '../apis/index.ts';
import type { ApiName } from '../apis/types.ts';
import { decide } from '../route/decide.ts';
import type { Decision } from '../route/types.ts';
import { sessionInHeaders, sessionKey } from './key.ts';
import { RedisSessions } from './redis.ts';
import { Sessions } from './store.ts';
import type { SessionState } from './types.ts';
import { cachedAfter } from './warmth.ts';

const hour = 3_600_000;

function keyOf(body: object, api: ApiName = 'openai-chat', workspace = 'red', named: string | null = null): string {
  const bytes = Buffer.from(JSON.stringify(body));
  const read = readExchange({ kind: 'readable', api, operation: 'generate', pathModel: null, stream: null }, bytes);
  if (!read.ok) throw new Error(read.reason);
  const key = sessionKey(workspace, named, read.exchange, bytes);
  return key === null ? 'none' : `${key.source} ${key.key}`;
}

describe('a conversation', () => {
  const user = (content: string) => ({ role: 'user', content });
  const said = (content: string) => ({ role: 'assistant', content });
  const chat = (...messages: object[]) => ({
    model: 'm',
    messages: [{ role: 'system', content: `It is ${messages.length} o'clock.` }, ...messages],
  });

  it('is known by its first message where nobody names it: every turn repeats it', () => {
    const first = keyOf(chat(user('Plan my trip.')));
    expect(first).toMatch(/^opening [0-9a-f]{16}$/);
    expect(keyOf(chat(user('Plan my trip.'), said('Where to?'), user('Rome.')))).toBe(first);
    expect(keyOf(chat(user('Plan your trip.')))).not.toBe(first);
    expect(keyOf(chat(user('Plan my trip.')), 'openai-chat', 'blue')).not.toBe(first);
  });

  it.each<readonly [string, ApiName, object]>([
    ['prompt_cache_key', 'openai-chat', { prompt_cache_key: 'c1' }],
    ['metadata', 'openai-chat', { metadata: { other: 'x', session_id: 'c1' } }],
    ['conversation', 'openai-responses', { input: 'hi', conversation: { id: 'c1' } }],
    ['conversation as text', 'openai-responses', { input: 'hi', conversation: 'c1' }],
    ['metadata.user_id of Claude Code', 'anthropic-messages', { metadata: { user_id: 'user_a_account_b_session_c1' } }],
  ])('is known by its name in the body: %s', (_what, api, member) => {
    const one = keyOf({ ...chat(user('One.')), ...member }, api);
    expect(one).toMatch(/^body /);
    expect(keyOf({ ...chat(user('Two.')), ...member }, api)).toBe(one);
  });

  it('is known by a header before all', () => {
    const said = (fields: Readonly<Record<string, string>>) => (names: readonly string[]) =>
      names.map((name) => fields[name]).find((value) => value !== undefined);
    expect(sessionInHeaders(said({ 'x-session-id': 'b', 'x-sluice-session': 'a' }), [])).toBe('a');
    expect(sessionInHeaders(said({ 'x-thread': 'c', 'x-sluice-session': 'a' }), ['x-thread'])).toBe('c');
    expect(sessionInHeaders(said({}), [])).toBeNull();
    expect(keyOf({ ...chat(user('One.')), prompt_cache_key: 'x' }, 'openai-chat', 'red', 'a')).toBe(
      keyOf(chat(user('Two.')), 'openai-chat', 'red', 'a'),
    );
    // A plain user id is nobody's conversation.
    expect(keyOf({ ...chat(user('One.')), metadata: { user_id: 'u1' } }, 'anthropic-messages')).toMatch(/^opening/);
  });
});

describe('what is remembered', () => {
  it('is the highest tier of its turns, until it is idle for too long', () => {
    let now = 1_000;
    const sessions = new Sessions(null, () => now);
    const turn = (tier: Tier) => sessions.turn('a', { tier, strong: false }, sessions.find('a') as SessionState | null, hour);
    turn('simple');
    turn('complex');
    turn('simple');
    expect(sessions.find('a')).toMatchObject({ floor: 'complex', turns: 3, last: null });
    sessions.answered('a', ref('large'), { tokens: 2_048, ms: 5_000 }, hour);
    expect(sessions.find('a')).toMatchObject({ last: ref('large'), cachedTokens: 2_048, cachedUntil: 6_000 });
    now += hour;
    expect(sessions.find('a')).toBeNull();
    expect(sessions.size).toBe(0);
  });

  it('rises by a low grade', () => {
    const sessions = new Sessions(null);
    const about = {
      id: '1',
      workspace: 'red',
      tier: 'simple' as const,
      provider: 'openai',
      model: 'small',
      requestedProvider: 'openai',
      requestedModel: 'dear',
      policy: 'p',
      arm: null,
      session: 'a',
      learning: null,
    };
    sessions.turn('a', { tier: 'simple', strong: false }, null, hour);
    sessions.observe({ decision: '1', time: '', score: 0.8, source: 'user' }, about);
    expect(sessions.find('a')).toMatchObject({ floor: 'simple' });
    sessions.observe({ decision: '1', time: '', score: 0, source: 'user' }, about);
    expect(sessions.find('a')).toMatchObject({ floor: 'standard' });
  });

  it('counts the tokens that a provider keeps', () => {
    expect(cachedAfter('openai', usage(1_000, 10))).toEqual({ tokens: 0, ms: 300_000 });
    expect(cachedAfter('openai', usage(5_000, 10))).toEqual({ tokens: 4_992, ms: 300_000 });
    expect(cachedAfter('anthropic', { ...usage(5_000, 10), cachedRead: 1_000, cacheWrite5m: 500 })).toEqual({ tokens: 1_500, ms: 300_000 });
    expect(cachedAfter('anthropic', { ...usage(5_000, 10), cacheWrite1h: 500 })).toEqual({ tokens: 500, ms: 3_600_000 });
    expect(cachedAfter('gemini', usage(5_000, 10))).toEqual({ tokens: 0, ms: 300_000 });
  });
});

describe('a decision in a conversation', () => {
  const now = 1_700_000_000_000;
  const state = (facts: Partial<SessionState>): SessionState => ({
    floor: 'simple',
    strong: false,
    turns: 2,
    last: null,
    cachedTokens: 0,
    cachedUntil: now + 1_000,
    at: now - 1_000,
    ...facts,
  });
  const decided = (facts: Partial<SessionState>, more: Parameters<typeof input>[0] = {}): Decision =>
    decide({ ...input(more), session: { key: 'ab', source: 'header', state: state(facts) } });

  it('never goes below what an earlier turn needed', () => {
    expect(decided({ floor: 'complex' })).toMatchObject({
      served: ref('large'),
      tier: 'complex',
      session: { key: 'ab', source: 'header', turn: 3, floor: 'complex', raised: true },
    });
    expect(decided({ floor: 'simple' }, { verdict: { tier: 'complex' } })).toMatchObject({
      served: ref('large'),
      session: { floor: 'simple', raised: false },
    });
  });

  /** Two of a tier: `near` costs 2 a million, `far` 1; cached input at a tenth. */
  const models = [
    model('openai', 'dear', 20),
    ...[
      ['near', 2],
      ['far', 1],
    ].map(([name, price]) => {
      const entry = model('openai', name as string, price as number);
      return { ...entry, prices: { ...entry.prices, cachedRead: (price as number) / 10 } };
    }),
  ];
  const pair = {
    generation: generation({ models }),
    provider: openai,
    section: section({ candidates: { simple: [ref('near'), ref('far')], standard: [], complex: [] } }),
    exchange: exchange({ promptTokens: 10_000, maxOutputTokens: 100 }),
  };

  it('stays with the model whose prompt cache would be thrown away, while that is cheaper', () => {
    // 10,000 tokens: far costs 0.0101; near costs 0.0202, or with 9,000 cached 0.0002 + 0.002 + 0.0018.
    expect(decided({}, pair)).toMatchObject({ served: ref('far'), session: { cachedTokens: 0, keptForCache: false } });
    expect(decided({ last: ref('near'), cachedTokens: 9_000 }, pair)).toMatchObject({
      served: ref('near'),
      estimate: { known: true, usd: 0.004 },
      session: { cachedTokens: 9_000, keptForCache: true },
    });
    expect(decided({ last: ref('near'), cachedTokens: 1_000 }, pair)).toMatchObject({
      served: ref('far'),
      session: { keptForCache: false },
    });
    expect(decided({ last: ref('near'), cachedTokens: 9_000, cachedUntil: now }, pair)).toMatchObject({
      served: ref('far'),
      session: { cachedTokens: 0 },
    });
  });
});

describe.skipIf(!redisThere)('replicas', () => {
  it('share conversations through a Redis, and go on without it', async () => {
    const redis = await TestRedis.start();
    const problems: string[] = [];
    const remote = () =>
      new RedisSessions({ url: redis.url, passwordFile: null, caFile: null, deadlineMs: 2_000 }, () => problems.push('x'));
    const [one, two] = [new Sessions(remote()), new Sessions(remote())];
    try {
      await expect
        .poll(async () => {
          one.turn('a', { tier: 'complex', strong: true }, null, hour);
          return await two.find('a');
        })
        .toMatchObject({ floor: 'complex', strong: true });
      expect(problems).toEqual([]);
      await redis.stop();
      await expect.poll(() => two.find('a')).toBeNull();
      expect(await one.find('a')).toMatchObject({ floor: 'complex' });
    } finally {
      one.close();
      two.close();
      await redis.remove();
    }
  });
});
