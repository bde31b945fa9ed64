import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import { Redis } from 'ioredis';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LimitView } from '../src/budgets/rate-view.ts';
import { Stack, type StackOptions } from '../src/demo/stack.ts';
import { recordOf } from './support/record.ts';
import { redisThere, TestRedis } from './support/redis.ts';
import { events, hangs, resets, ScriptedProvider, status, well } from './support/scripted-provider.ts';
import { entry } from './support/entry.ts';

const provider = new ScriptedProvider();
let endpoint: string;

const policy = `
version: 1
defaults:
  tiers: []
  fallback: { models: { gpt-5.1: [openai/gpt-5-mini] }, attemptSeconds: 20, totalSeconds: 40 }
sections:
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on } }
  - { name: watched, match: { workspace: [watched] }, mode: shadow }
limits:
  - { name: few, match: { workspace: [few] }, requests: { day: 2 }, tokens: { day: 100000 } }
  - { name: no-tokens, match: { workspace: [no-tokens] }, tokens: { day: 1 } }
  - { name: one, match: { workspace: [one] }, per: [user], concurrent: 1 }
  - { name: soft, match: { workspace: [soft] }, requests: { day: 1 }, mode: soft }
  - { name: rest, match: { workspace: [cached, watched, tokens] }, per: [workspace], requests: { day: 1 }, tokens: { hour: 100000 }, message: Come back tomorrow. }
`;

beforeAll(async () => {
  endpoint = await provider.listen();
});
afterEach(() => {
  provider.behaviour = well;
});
afterAll(() => provider.close());

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly id: string;
}

async function ask(
  at: Stack,
  workspace: string,
  extra: object = {},
  headers: Readonly<Record<string, string>> = {},
  { signal, onHead }: { readonly signal?: AbortSignal; readonly onHead?: () => void } = {},
): Promise<Reply> {
  const response = await fetch(`${at.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': workspace, ...headers },
    body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }], ...extra }),
    ...(signal === undefined ? {} : { signal }),
  });
  onHead?.();
  await response.text();
  return { status: response.status, headers: response.headers, id: response.headers.get('x-sluice-decision') ?? '' };
}

async function limitsOf(at: Stack, name: string): Promise<readonly LimitView[]> {
  return ((await fetch(`${at.adminUrl}/limits?name=${name}`).then((response) => response.json())) as { limits: LimitView[] }).limits;
}
const placesOf = async (at: Stack): Promise<number> => (await limitsOf(at, 'one')).reduce((sum, { used }) => sum + used, 0);
const metricsOf = (at: Stack): Promise<string> => fetch(`${at.adminUrl}/metrics`).then((response) => response.text());
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'answered',
    (error: unknown) => error,
  );

describe('a rate limit that is reached', () => {
  const stack = { at: null as unknown as Stack };
  beforeAll(async () => {
    stack.at = new Stack({ policy, endpoint });
    await stack.at.start();
  });
  afterAll(() => stack.at.stop());

  it('is each official SDK’s own rate-limit error with the headers that it reads', async () => {
    const { url } = stack.at;
    for (let i = 0; i < 2; i++) expect((await ask(stack.at, 'few')).status).toBe(200);
    await expect.poll(async () => (await limitsOf(stack.at, 'few')).find(({ kind }) => kind === 'tokens')?.used).toBeGreaterThan(0);
    const before = provider.got.length;
    const untilMidnight =
      (Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth(), new Date().getUTCDate() + 1) - Date.now()) / 1000;

    const openai = new OpenAI({ apiKey: 'test', baseURL: `${url}/v1`, defaultHeaders: { 'x-sluice-workspace': 'few' } });
    const fromOpenai = await failure(
      openai.chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
    );
    expect(fromOpenai).toBeInstanceOf(OpenAI.RateLimitError);
    expect(fromOpenai).toMatchObject({
      status: 429,
      code: 'rate_limit_exceeded',
      type: 'requests',
      message: expect.stringContaining('The rate limit few (2 requests a day) is reached') as string,
    });
    const { headers } = fromOpenai as InstanceType<typeof OpenAI.RateLimitError>;
    expect(Math.abs(Number(headers.get('retry-after')) - untilMidnight)).toBeLessThan(60);
    expect(
      ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-limit-tokens', 'x-should-retry'].map((name) =>
        headers.get(name),
      ),
    ).toEqual(['2', '0', '100000', 'false']);
    expect(headers.get('x-ratelimit-reset-requests')).toMatch(/^(\d+h)?(\d+m)?\d+s$/);
    expect(Number(headers.get('x-ratelimit-remaining-tokens'))).toBeLessThan(100_000);

    const anthropic = new Anthropic({ apiKey: 'test', baseURL: url, defaultHeaders: { 'x-sluice-workspace': 'few' } });
    const fromAnthropic = await failure(
      anthropic.messages.create({ model: 'claude-sonnet-4-6', max_tokens: 100, messages: [{ role: 'user', content: 'What is a CDN?' }] }),
    );
    expect(fromAnthropic).toBeInstanceOf(Anthropic.RateLimitError);
    expect(fromAnthropic).toMatchObject({ status: 429, error: { type: 'error', error: { type: 'rate_limit_error' } } });
    const read = (fromAnthropic as InstanceType<typeof Anthropic.RateLimitError>).headers;
    expect([
      read.get('anthropic-ratelimit-requests-limit'),
      read.get('anthropic-ratelimit-requests-remaining'),
      read.get('x-ratelimit-limit-requests'),
    ]).toEqual(['2', '0', null]);
    expect(Math.abs(Date.parse(read.get('anthropic-ratelimit-requests-reset') ?? '') - Date.now() - untilMidnight * 1000)).toBeLessThan(
      60_000,
    );

    const google = new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: url, headers: { 'x-sluice-workspace': 'few' } } });
    const fromGoogle = await failure(google.models.generateContent({ model: 'gemini-2.5-pro', contents: 'What is a CDN?' }));
    expect(fromGoogle).toBeInstanceOf(ApiError);
    expect(fromGoogle).toMatchObject({
      status: 429,
      message: expect.stringMatching(/RESOURCE_EXHAUSTED.*RetryInfo.*"retryDelay":"\d+s"/) as string,
    });

    // A caller that keeps its model is refused like others; nothing reached a provider, and no SDK retried.
    expect((await ask(stack.at, 'few', {}, { 'x-sluice-route': 'off' })).status).toBe(429);
    expect(provider.got.length).toBe(before);
    expect(await metricsOf(stack.at)).toContain('llm_proxy_limit_actions_total{limit="few",kind="requests",action="refused"} 4');
  });

  it('says of tokens what is left, and that a request which is too large need not come again', async () => {
    const openai = new OpenAI({ apiKey: 'test', baseURL: `${stack.at.url}/v1`, defaultHeaders: { 'x-sluice-workspace': 'no-tokens' } });
    const before = provider.got.length;
    const error = await failure(openai.responses.create({ model: 'gpt-5.1', input: 'What is a CDN?', stream: true }));
    expect(error).toMatchObject({
      status: 429,
      code: 'rate_limit_exceeded',
      type: 'tokens',
      message: expect.stringContaining('never allows this request') as string,
    });
    const { headers } = error as InstanceType<typeof OpenAI.RateLimitError>;
    expect([headers.get('x-ratelimit-remaining-tokens'), headers.get('x-should-retry')]).toEqual(['1', 'false']);
    expect(provider.got.length).toBe(before);
  });

  it('is in the record and its explanation, by name', async () => {
    const { id, headers } = await ask(stack.at, 'few');
    expect(headers.get('x-sluice-reason')).toBe('over-limit');
    const record = await recordOf(stack.at.adminUrl, id);
    expect(record).toMatchObject({
      outcome: 'blocked',
      cost: { known: true, usd: 0 },
      decision: { action: 'block', reason: 'over-limit', rule: 'few' },
      limits: [{ limit: 'few', kind: 'requests', period: 'day', action: 'refused', used: 2, max: 2 }],
    });
    const text = await fetch(`${stack.at.adminUrl}/decisions/${id}?format=text`).then((response) => response.text());
    expect(text).toContain('few, 2 requests a day: refused the request; 2 used');
  });

  it('counts what is soft or only watched, and no answers from the cache', async () => {
    for (let i = 0; i < 2; i++) expect((await ask(stack.at, 'soft')).status).toBe(200);
    for (let i = 0; i < 2; i++) expect((await ask(stack.at, 'watched')).status).toBe(200);
    const first = await ask(stack.at, 'cached');
    expect((await recordOf(stack.at.adminUrl, first.id)).limits).toHaveLength(2);
    expect((await ask(stack.at, 'cached')).headers.get('x-sluice-cache')).toBe('hit');
    const refused = await ask(stack.at, 'cached', { temperature: 0.3 });
    expect(refused.status).toBe(429);
    expect(
      (await limitsOf(stack.at, 'rest'))
        .filter(({ kind }) => kind === 'requests')
        .map(({ of, used }) => [of.workspace, used])
        .sort(),
    ).toEqual([
      ['cached', 1],
      ['watched', 2],
    ]);
    const metrics = await metricsOf(stack.at);
    expect(metrics).toContain('llm_proxy_limit_actions_total{limit="soft",kind="requests",action="over"} 1');
    expect(metrics).toMatch(/^llm_proxy_limit_used_ratio\{limit="soft",kind="requests"\} 2$/m);
  });

  it('settles the tokens of the answer, whole or streamed, at the model that gave it', async () => {
    const { id } = await ask(stack.at, 'tokens', { stream: true, stream_options: { include_usage: true } });
    const record = await recordOf(stack.at.adminUrl, id);
    const taken = record.usage!.totalInput + record.usage!.totalOutput;
    expect(taken).toBeGreaterThan(0);
    await expect
      .poll(async () => (await limitsOf(stack.at, 'rest')).find(({ of, kind }) => of.workspace === 'tokens' && kind === 'tokens')?.used)
      .toBe(taken);
  });

  it('is shown by command, and windows outlive the process', async () => {
    const run = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(process.execPath, [entry, 'limits', '--admin', stack.at.adminUrl, ...args])).stdout;
    await stack.at.stopSluice('SIGTERM');
    await stack.at.startSluice();
    expect((await ask(stack.at, 'few')).status).toBe(429);
    const table = await run();
    expect(table).toMatch(/^few +– +requests a day +2 +2 +100\.0% +hard +reached +00:00:00$/m);
    expect(table).toMatch(/^one +– +requests at once +0 +1 +0\.0% +hard +ok +–$/m);
    expect(JSON.parse(await run('few', '--json'))).toMatchObject({ store: 'memory', counters: 2 });
    await expect(run('nothing')).rejects.toMatchObject({ stderr: expect.stringContaining('has no rate limit nothing') as string });
  });
});

/** Ways in which a request ends, each with what the app does. */
const ends: readonly (readonly [name: string, run: (at: Stack) => Promise<unknown>])[] = [
  ['its answer has come', (at) => ask(at, 'one')],
  ['its stream has ended', (at) => ask(at, 'one', { stream: true })],
  [
    'its provider fails',
    async (at) => {
      provider.behaviour = status(500);
      await ask(at, 'one');
    },
  ],
  [
    'its provider drops it',
    async (at) => {
      provider.behaviour = resets;
      await ask(at, 'one');
    },
  ],
  [
    'its stream is cut',
    async (at) => {
      provider.behaviour = events(
        [
          'data: {"id":"1","object":"chat.completion.chunk","model":"gpt-5.1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
        ],
        true,
      );
      await failure(ask(at, 'one', { stream: true }));
    },
  ],
  [
    'its client leaves before an answer',
    async (at) => {
      provider.behaviour = hangs;
      const leaving = new AbortController();
      const asked = failure(ask(at, 'one', {}, {}, { signal: leaving.signal }));
      await expect.poll(() => placesOf(at)).toBe(1);
      leaving.abort();
      await asked;
    },
  ],
  [
    'its client leaves while it streams',
    async (at) => {
      provider.behaviour = (_got, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(
          'data: {"id":"1","object":"chat.completion.chunk","model":"gpt-5.1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n',
        );
      };
      const leaving = new AbortController();
      const begun = Promise.withResolvers<undefined>();
      const asked = failure(ask(at, 'one', { stream: true }, {}, { signal: leaving.signal, onHead: () => begun.resolve(undefined) }));
      await begun.promise;
      expect(await placesOf(at)).toBe(1);
      leaving.abort();
      await asked;
    },
  ],
];

describe.each(['collect', 'observe'] as const)('a place among concurrent requests, where Envoy tells of answers by %s', (usage) => {
  const stack = { at: null as unknown as Stack };
  beforeAll(async () => {
    stack.at = new Stack({ policy, endpoint, usage } satisfies StackOptions);
    await stack.at.start();
  });
  afterAll(() => stack.at.stop());

  it.each(ends)('is free again when %s', async (_name, run) => {
    await run(stack.at);
    await expect.poll(() => placesOf(stack.at), { timeout: 10_000 }).toBe(0);
    provider.behaviour = well;
    expect((await ask(stack.at, 'one')).status).toBe(200);
    await expect.poll(() => placesOf(stack.at)).toBe(0);
  });

  it('is free when clients leave at any moment, whatever was decided by then', async () => {
    provider.behaviour = (_got, _response, answer) => new Promise((resolve) => setTimeout(() => void answer().then(resolve, resolve), 30));
    await Promise.all(
      Array.from({ length: 120 }, async (_, at) => {
        const leaving = new AbortController();
        setTimeout(() => leaving.abort(), (at % 40) * 1.5);
        await failure(ask(stack.at, 'one', {}, { 'x-sluice-user': `user-${at}` }, { signal: leaving.signal }));
      }),
    );
    await expect.poll(() => placesOf(stack.at), { timeout: 10_000 }).toBe(0);
  });

  it('makes an SDK wait and try again by itself', async () => {
    // A request of a client that left may come here late: all are let go.
    const waiting: (() => void)[] = [];
    provider.behaviour = async (_got, _response, answer) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      await answer();
    };
    const first = ask(stack.at, 'one');
    await expect.poll(() => placesOf(stack.at)).toBe(1);
    const openai = new OpenAI({
      apiKey: 'test',
      baseURL: `${stack.at.url}/v1`,
      defaultHeaders: { 'x-sluice-workspace': 'one' },
      maxRetries: 5,
    });
    const second = openai.chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] });
    await expect
      .poll(async () =>
        /llm_proxy_limit_actions_total\{limit="one",kind="concurrent",action="refused"\} [1-9]/.test(await metricsOf(stack.at)),
      )
      .toBe(true);
    provider.behaviour = well;
    for (const release of waiting) release();
    expect((await first).status).toBe(200);
    expect((await second).choices).toHaveLength(1);
  });
});

it.each(['collect', 'observe'] as const)('a place is free again when Envoy is gone with its requests (%s)', async (usage) => {
  const stack = new Stack({ policy, endpoint, usage });
  await stack.start();
  try {
    provider.behaviour = hangs;
    const asked = failure(ask(stack, 'one'));
    await expect.poll(() => placesOf(stack)).toBe(1);
    process.kill(stack.envoyPid, 'SIGKILL');
    await asked;
    await expect.poll(() => placesOf(stack), { timeout: 15_000 }).toBe(0);
  } finally {
    await stack.stop();
  }
});

describe.skipIf(!redisThere)('rate limits in a Redis', () => {
  it('hold for apps behind an Envoy, and free the places of a Sluice that was killed', async () => {
    const redis = await TestRedis.start();
    const stack = new Stack({ policy, endpoint, serve: ['--budgets-redis', redis.url, '--budgets-redis-deadline', '400'] });
    await stack.start();
    try {
      const statuses = await Promise.all(Array.from({ length: 6 }, () => ask(stack, 'few')));
      expect(statuses.map(({ status: code }) => code).sort()).toEqual([200, 200, 429, 429, 429, 429]);
      provider.behaviour = hangs;
      const leaving = new AbortController();
      const asked = failure(ask(stack, 'one', {}, {}, { signal: leaving.signal }));
      await expect.poll(() => placesOf(stack)).toBe(1);
      expect((await ask(stack, 'one')).status).toBe(429);
      await stack.stopSluice('SIGKILL');
      await stack.startSluice();
      provider.behaviour = well;
      // Windows are kept, once Redis is connected again; so is the place, until nobody renews its lease.
      await expect.poll(async () => (await ask(stack, 'few')).status).toBe(429);
      expect((await ask(stack, 'one')).status).toBe(429);
      // As if the lease's time had passed by the clock of Redis: the one that holds it does not live to renew it.
      const client = new Redis(redis.url);
      for (const key of await client.keys('*:l:limit/*concurrent*'))
        for (const member of await client.zrange(key, '0', '-1')) await client.zadd(key, '1', member);
      client.disconnect();
      expect((await ask(stack, 'one')).status).toBe(200);
      leaving.abort();
      await asked;
      await redis.stop();
      expect((await ask(stack, 'few')).status).toBe(200);
    } finally {
      await stack.stop();
      await redis.remove();
    }
  });
});
