import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { untilOld } from './support/cache-entries.ts';
import { recordOf as recordAt } from './support/record.ts';
import { entry } from './support/entry.ts';

const policy = `
version: 1
defaults:
  candidates:
    simple: [openai/gpt-5-nano, anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite]
    standard: [openai/gpt-5-mini, anthropic/claude-haiku-4-5, google/gemini-2.5-flash]
    complex: [openai/gpt-5.1, anthropic/claude-sonnet-4-6, google/gemini-2.5-pro]
  cache: { mode: on, ttl: 600, coalesce: 5 }
sections:
  - { name: brief, match: { workspace: [brief] }, cache: { mode: on, ttl: 1, staleIfError: 600, staleWhileRevalidate: 600 }, fallback: {} }
  - { name: shared, match: { workspace: [shared] }, cache: { mode: on, share: workspace } }
  - { name: near, match: { workspace: [near] }, cache: { mode: on, semantic: strict } }
  - { name: free, match: { workspace: [free] }, cache: { mode: on, usage: zero } }
  - { name: bare, match: { workspace: [bare] }, cache: { mode: 'off' } }
`;

const simulator = new ProviderSimulator();
let stack: Stack;
let openai: OpenAI;
let anthropic: Anthropic;
let google: GoogleGenAI;
let question = 0;

/** A prompt that nobody has sent before. */
const fresh = (): string => `What is a CDN? (${++question})`;

beforeAll(async () => {
  const endpoint = await simulator.listen();
  stack = new Stack({ policy, endpoint });
  await stack.start();
  openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: 'test', baseURL: stack.url, maxRetries: 0 });
  google = new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: stack.url } });
});

afterAll(async () => {
  await stack.stop();
  await simulator.close();
});

beforeEach(() => {
  simulator.received.length = 0;
});

/** The answer's copy reaches Sluice beside the answer: a repeat may come before it is kept. */
async function kept(count: number): Promise<void> {
  await expect
    .poll(async () => ((await fetch(`${stack.adminUrl}/cache`).then((response) => response.json())) as { entries: number }).entries)
    .toBeGreaterThanOrEqual(count);
}

async function entries(): Promise<number> {
  return ((await fetch(`${stack.adminUrl}/cache`).then((response) => response.json())) as { entries: number }).entries;
}

const recordOf = (id: string | null): Promise<ExchangeRecord> => recordAt(stack.adminUrl, id);

const chat = (content: string, more: object = {}): string =>
  JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content }], ...more });

function post(body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test', ...headers },
    body,
  });
}

/** Asks and keeps the answer. */
async function ask(body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const before = await entries();
  const response = await post(body, headers);
  await response.arrayBuffer();
  await kept(before + 1);
  return response;
}

const state = (response: Response): string | null => response.headers.get('x-sluice-cache');

describe('a repeated request through a real Envoy', () => {
  it('is answered from the cache: nothing leaves, nothing costs, and the record says so', async () => {
    const body = chat(fresh());
    const first = await ask(body);
    expect(state(first)).toBe('miss');
    const second = await post(body);
    expect(second.status).toBe(200);
    expect(state(second)).toBe('hit');
    expect(second.headers.get('age')).toMatch(/^\d+$/);
    expect(second.headers.get('x-sluice-cache-entry')).toBe(first.headers.get('x-sluice-cache-entry'));
    expect(second.headers.get('x-sluice-model')).toBe('gpt-5-nano');
    expect(simulator.received).toHaveLength(1);
    const paid = await recordOf(first.headers.get('x-sluice-decision'));
    const record = await recordOf(second.headers.get('x-sluice-decision'));
    expect(record).toMatchObject({
      kind: 'cached',
      cache: 'hit',
      servedModel: 'gpt-5-nano',
      outcome: 'complete',
      cost: { known: true, usd: 0 },
      attempts: [],
      usage: paid.usage,
    });
    expect(record.savings).toEqual(paid.baseline);
  });

  it('serves the OpenAI SDK a stream of what was asked for plainly, and the other way round', async () => {
    const messages = [{ role: 'user' as const, content: fresh() }];
    const before = await entries();
    const plain = await openai.chat.completions.create({ model: 'gpt-5.1', messages });
    await kept(before + 1);
    const { data, response } = await openai.chat.completions
      .create({ model: 'gpt-5.1', messages, stream: true, stream_options: { include_usage: true } })
      .withResponse();
    let text = '';
    let usage: unknown;
    for await (const chunk of data) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(response.headers.get('x-sluice-cache')).toBe('hit');
    expect([text, usage]).toEqual([plain.choices[0]?.message.content, plain.usage]);

    const others = [{ role: 'user' as const, content: fresh() }];
    const streamed = await openai.chat.completions
      .stream({ model: 'gpt-5.1', messages: others, stream_options: { include_usage: true } })
      .finalChatCompletion();
    await kept(before + 2);
    const again = await openai.chat.completions.create({ model: 'gpt-5.1', messages: others }).withResponse();
    expect(again.response.headers.get('x-sluice-cache')).toBe('hit');
    expect(again.data.choices[0]?.message.content).toBe(streamed.choices[0]?.message.content);
    expect(again.data.usage).toEqual(streamed.usage);
    const third = await openai.chat.completions.create({ model: 'gpt-5.1', messages: others, stream: true }).withResponse();
    const sizes: number[] = [];
    for await (const chunk of third.data) sizes.push(chunk.choices.length);
    expect(third.response.headers.get('x-sluice-cache')).toBe('hit');
    // Who did not ask for usage gets no chunk without a choice.
    expect(new Set(sizes)).toEqual(new Set([1]));
    expect(simulator.received).toHaveLength(2);
  });

  it('names no tokens where the policy wants it so, and records those of the first answer', async () => {
    const free = new OpenAI({
      apiKey: 'sk-test',
      baseURL: `${stack.url}/v1`,
      maxRetries: 0,
      defaultHeaders: { 'x-sluice-workspace': 'free' },
    });
    const messages = [{ role: 'user' as const, content: fresh() }];
    const before = await entries();
    const first = await free.chat.completions.create({ model: 'gpt-5.1', messages });
    await kept(before + 1);
    const { data, response } = await free.chat.completions.create({ model: 'gpt-5.1', messages }).withResponse();
    expect(data.usage).toMatchObject({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 });
    expect(data.choices).toEqual(first.choices);
    const streamed = await free.chat.completions
      .stream({ model: 'gpt-5.1', messages, stream_options: { include_usage: true } })
      .finalChatCompletion();
    expect(streamed.usage?.total_tokens).toBe(0);
    expect((await recordOf(response.headers.get('x-sluice-decision'))).usage).toMatchObject({ totalInput: first.usage?.prompt_tokens });
  });

  it('serves tool calls in both forms', async () => {
    const request = {
      model: 'gpt-5.1',
      messages: [{ role: 'user' as const, content: fresh() }],
      tools: [{ type: 'function' as const, function: { name: 'find', parameters: {} } }],
    };
    const before = await entries();
    const plain = await openai.chat.completions.create(request);
    await kept(before + 1);
    const streamed = await openai.chat.completions.stream(request).finalChatCompletion();
    expect(streamed.choices[0]?.message.tool_calls).toMatchObject(plain.choices[0]?.message.tool_calls ?? []);
    expect(simulator.received).toHaveLength(1);
  });

  it('serves the Responses API both ways', async () => {
    const input = fresh();
    const before = await entries();
    const plain = await openai.responses.create({ model: 'gpt-5.1', input });
    await kept(before + 1);
    const streamed = await openai.responses.stream({ model: 'gpt-5.1', input }).finalResponse();
    expect(streamed.output_text).toBe(plain.output_text);
    const other = fresh();
    let live = '';
    for await (const event of await openai.responses.create({ model: 'gpt-5.1', input: other, stream: true }))
      if (event.type === 'response.output_text.delta') live += event.delta;
    await kept(before + 2);
    const again = await openai.responses.create({ model: 'gpt-5.1', input: other });
    expect(again.output_text).toBe(live);
    expect(simulator.received).toHaveLength(2);
  });

  it('serves the Anthropic SDK both ways, tools included', async () => {
    const before = await entries();
    const request = (content: string, tools: Anthropic.Tool[] = []) => ({
      model: 'claude-sonnet-4-6',
      max_tokens: 100,
      messages: [{ role: 'user' as const, content }],
      ...(tools.length === 0 ? {} : { tools }),
    });
    const one = request(fresh());
    const plain = await anthropic.messages.create(one);
    await kept(before + 1);
    const streamed = await anthropic.messages.stream(one).finalMessage();
    expect(streamed.content).toEqual(plain.content);
    expect(streamed.usage).toMatchObject({ input_tokens: plain.usage.input_tokens, output_tokens: plain.usage.output_tokens });
    const two = request(fresh());
    const live = await anthropic.messages.stream(two).finalMessage();
    await kept(before + 2);
    expect((await anthropic.messages.create(two)).content).toEqual(live.content);
    const three = request(fresh(), [{ name: 'find', input_schema: { type: 'object' } }]);
    const called = await anthropic.messages.create(three);
    await kept(before + 3);
    expect((await anthropic.messages.stream(three).finalMessage()).content).toEqual(called.content);
    expect(simulator.received).toHaveLength(3);
  });

  it('serves the Google SDK both ways', async () => {
    const before = await entries();
    const contents = fresh();
    const plain = await google.models.generateContent({ model: 'gemini-2.5-pro', contents });
    await kept(before + 1);
    let text = '';
    for await (const chunk of await google.models.generateContentStream({ model: 'gemini-2.5-pro', contents })) text += chunk.text ?? '';
    expect(text).toBe(plain.text);
    const other = fresh();
    let live = '';
    for await (const chunk of await google.models.generateContentStream({ model: 'gemini-2.5-pro', contents: other }))
      live += chunk.text ?? '';
    await kept(before + 2);
    const again = await google.models.generateContent({ model: 'gemini-2.5-pro', contents: other });
    expect(again.text).toBe(live);
    expect(again.usageMetadata?.totalTokenCount).toBeGreaterThan(0);
    expect(simulator.received).toHaveLength(2);
  });

  it('serves embeddings', async () => {
    const before = await entries();
    const input = fresh();
    const first = await openai.embeddings.create({ model: 'text-embedding-3-small', input });
    await kept(before + 1);
    expect((await openai.embeddings.create({ model: 'text-embedding-3-small', input })).data).toEqual(first.data);
    expect(simulator.received).toHaveLength(1);
  });
});

describe('the partition', () => {
  it('keeps callers with another key, workspace or account apart, and shares where the policy says so', async () => {
    const body = chat(fresh());
    await ask(body);
    const others: Readonly<Record<string, string>>[] = [
      { authorization: 'Bearer sk-other' },
      { 'x-sluice-workspace': 'other' },
      { 'openai-organization': 'other' },
      { 'x-sluice-quality': 'high' },
    ];
    for (const headers of others) {
      const response = await post(body, headers);
      await response.arrayBuffer();
      expect(state(response), JSON.stringify(headers)).toBe('miss');
    }
    const shared = chat(fresh());
    await ask(shared, { 'x-sluice-workspace': 'shared' });
    expect(state(await post(shared, { 'x-sluice-workspace': 'shared', authorization: 'Bearer sk-other' }))).toBe('hit');
    expect(state(await post(chat(fresh()), { 'x-sluice-workspace': 'bare' }))).toBeNull();
  });
});

describe('what a caller may say', () => {
  it('obeys no-store, no-cache, max-age and only-if-cached', async () => {
    const body = chat(fresh());
    expect(state(await post(body, { 'cache-control': 'no-store' }))).toBe('bypass');
    const nothing = await post(body, { 'cache-control': 'only-if-cached' });
    expect([nothing.status, state(nothing)]).toEqual([504, 'miss']);
    expect(await nothing.json()).toMatchObject({ error: { code: 'not_cached' } });
    await ask(body, { 'cache-control': 'no-cache' });
    expect(state(await post(body, { 'cache-control': 'only-if-cached' }))).toBe('hit');
    expect(state(await post(body, { 'x-sluice-cache': 'max-age=0' }))).not.toBe('hit');
    expect(state(await post(body, { 'x-sluice-cache': 'off' }))).toBe('bypass');
    expect(simulator.received.every(({ headers }) => headers['x-sluice-cache'] === undefined)).toBe(true);
  });

  it('can purge what it tagged', async () => {
    const body = chat(fresh());
    const first = await ask(body, { 'x-sluice-cache': 'tag=release-12' });
    const id = first.headers.get('x-sluice-cache-entry')!;
    expect(await fetch(`${stack.adminUrl}/cache/entries/${id}`).then((response) => response.json())).toMatchObject({
      id,
      tags: ['release-12'],
      model: 'gpt-5-nano',
      fresh: true,
    });
    expect(await fetch(`${stack.adminUrl}/cache/entries?tag=release-12`, { method: 'DELETE' }).then((response) => response.json())).toEqual(
      { purged: { memory: 1, redis: null } },
    );
    expect((await fetch(`${stack.adminUrl}/cache/entries/${id}`)).status).toBe(404);
    expect((await fetch(`${stack.adminUrl}/cache/entries?worskpace=a`, { method: 'DELETE' })).status).toBe(400);
    expect((await fetch(`${stack.adminUrl}/cache/entries`, { method: 'DELETE' })).status).toBe(400);
  });
});

describe('the command line', () => {
  const sluice = (...args: string[]): string =>
    execFileSync(process.execPath, [entry, 'cache', ...args, '--admin', stack.adminUrl], { encoding: 'utf8', stdio: 'pipe' });

  it('shows and empties the cache of a running server', async () => {
    const first = await ask(chat(fresh()), { 'x-sluice-workspace': 'purged' });
    const id = first.headers.get('x-sluice-cache-entry')!;
    expect(JSON.parse(sluice('stats', '--json'))).toMatchObject({ waiting: 0, maxBytes: 128 * 1024 * 1024 });
    expect(sluice('stats')).toMatch(
      /^memory {5}\d+ entries, 0\.\d of 128\.0 MiB, \d+ evicted for room\nredis {6}none\n.*\nexchanges .*\d+ miss/,
    );
    expect(JSON.parse(sluice('inspect', id))).toMatchObject({ workspace: 'purged', provider: 'openai', finishReason: 'stop' });
    expect(JSON.parse(sluice('purge', '--workspace', 'purged'))).toEqual({ purged: { memory: 1, redis: null } });
    expect(() => sluice('inspect', id)).toThrow(/SLUICE_CACHE_UNKNOWN/);
    expect(() => sluice('purge')).toThrow(/SLUICE_CLI_USAGE cache purge: say what to remove, or --all/);
    expect(() => sluice('purge', '--older-than', 'a week')).toThrow(/SLUICE_CLI_USAGE .*older-than must be/);
  });
});

describe('answers that are no good', () => {
  it('are not kept: errors, cut streams, answers cut by their length', async () => {
    const cases: readonly [string, Readonly<Record<string, string>>][] = [
      [chat(fresh()), { 'x-sim-status': '500' }],
      [chat(fresh(), { stream: true }), { 'x-sim-cut': '3' }],
      [chat(fresh()), { 'x-sim-cut': '1' }],
    ];
    for (const [body, headers] of cases) {
      await post(body, headers)
        .then((response) => response.text())
        .catch(() => '');
      const again = await post(body);
      await again.text();
      expect(state(again)).toBe('miss');
    }
  });

  it('bridges an outage with the last good answer, and says that it is stale', async () => {
    const brief = { 'x-sluice-workspace': 'brief' };
    const body = chat(fresh());
    const first = await ask(body, brief);
    const text = await post(body, brief).then((response) => response.text());
    await untilOld(stack.adminUrl, first);
    // The very request that meets the failure gets the old answer, streamed or not, and its record says what happened.
    const met = await post(body, { ...brief, 'x-sim-status': '503' });
    expect([met.status, state(met), await met.text()]).toEqual([200, 'stale', text]);
    expect(Number(met.headers.get('age'))).toBeGreaterThanOrEqual(1);
    expect(await recordOf(met.headers.get('x-sluice-decision'))).toMatchObject({
      kind: 'decision',
      cache: 'stale',
      outcome: 'complete',
      cost: { known: true, usd: 0 },
      cacheEntry: { tier: 'simple' },
      attempts: [{ status: 503, reason: 'server-error' }],
    });
    const bridged = await post(body, { ...brief, 'x-sim-status': '503' });
    expect([bridged.status, state(bridged)]).toEqual([200, 'stale']);
    expect(await bridged.text()).toBe(text);
    expect(Number(bridged.headers.get('age'))).toBeGreaterThanOrEqual(1);
    expect(first.headers.get('x-sluice-cache-entry')).toBe(bridged.headers.get('x-sluice-cache-entry'));
    expect(await recordOf(bridged.headers.get('x-sluice-decision'))).toMatchObject({ kind: 'cached', cache: 'stale', attempts: [] });
  });

  it('bridges a limit of requests for a stream, and no mistake of the request’s own', async () => {
    const brief = { 'x-sluice-workspace': 'brief' };
    const [one, two] = [fresh(), fresh()];
    for (const prompt of [one, two]) await untilOld(stack.adminUrl, await ask(chat(prompt), brief));
    const mistaken = await post(chat(two), { ...brief, 'x-sim-status': '400' });
    expect([mistaken.status, state(mistaken)]).toEqual([400, 'miss']);
    await mistaken.text();
    const limited = await post(chat(one, { stream: true }), { ...brief, 'x-sim-status': '429' });
    expect([limited.status, state(limited)]).toEqual([200, 'stale']);
    expect(await limited.text()).toContain('data: [DONE]');
    const good = await post(chat(two), { ...brief, 'cache-control': 'max-age=0' });
    expect([good.status, state(good)]).toEqual([200, 'miss']);
    await good.text();
  });
});

describe('identical requests in flight', () => {
  it('reach the provider once, plain and streamed, beyond the usual time for an answer', async () => {
    const prompt = fresh();
    const bodies = Array.from({ length: 20 }, (_, index) => chat(prompt, index % 2 === 0 ? {} : { stream: true }));
    // The leader is sent first; the delay is longer than Envoy's usual wait for its processor.
    const leader = post(bodies[0]!, { 'x-sim-delay': '1500' });
    await expect.poll(() => simulator.received.length).toBe(1);
    const responses = await Promise.all([leader, ...bodies.slice(1).map((body) => post(body))]);
    const texts = await Promise.all(responses.map((response) => response.text()));
    expect(responses.map((response) => response.status)).toEqual(bodies.map(() => 200));
    expect(simulator.received).toHaveLength(1);
    expect(responses.slice(1).map(state)).toEqual(bodies.slice(1).map(() => 'hit'));
    expect(new Set(texts.filter((_, index) => index % 2 === 0)).size).toBe(1);
    expect(texts[1]).toContain('data: [DONE]');
    const record = await recordOf(responses[1]!.headers.get('x-sluice-decision'));
    expect(record.cache).toBe('coalesced');
  });

  it('go on alone when the first fails or is given up', async () => {
    const body = chat(fresh());
    const leader = post(body, { 'x-sim-delay': '400', 'x-sim-status': '500' });
    await expect.poll(() => simulator.received.length).toBe(1);
    const followers = await Promise.all(Array.from({ length: 3 }, () => post(body)));
    expect((await leader).status).toBe(500);
    expect(followers.map((response) => response.status)).toEqual([200, 200, 200]);

    simulator.received.length = 0;
    const other = chat(fresh());
    const abort = new AbortController();
    const gone = fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      signal: abort.signal,
      headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test', 'x-sim-delay': '5000' },
      body: other,
    }).catch(() => null);
    await expect.poll(() => simulator.received.length).toBe(1);
    const follower = post(other);
    await new Promise((resolve) => setTimeout(resolve, 100));
    abort.abort();
    await gone;
    expect((await follower).status).toBe(200);
  });
});

describe('a question that asks the same', () => {
  it('is answered from the cache, and says so, where the policy lets it', async () => {
    const near = { 'x-sluice-workspace': 'near' };
    const number = ++question;
    const first = await ask(chat(`What is the job of CDN ${number}?`), near);
    const akin = await post(chat(`what is a job of CDN ${number}`, { stream: true }), near);
    expect([akin.status, state(akin)]).toEqual([200, 'semantic']);
    expect(akin.headers.get('x-sluice-cache-entry')).toBe(first.headers.get('x-sluice-cache-entry'));
    expect(await akin.text()).toContain('data: [DONE]');
    expect(await recordOf(akin.headers.get('x-sluice-decision'))).toMatchObject({
      kind: 'cached',
      cache: 'semantic',
      cost: { known: true, usd: 0 },
    });
    expect(state(await post(chat(`What is the job of CDN ${number + 1000}?`), near))).toBe('miss');
    expect(state(await post(chat(`what is a job of CDN ${number}`), { ...near, 'x-sluice-cache': 'exact' }))).toBe('miss');
    const other = chat(fresh());
    await ask(other);
    expect(state(await post(other.replace('What', 'what')))).toBe('miss');
  });
});

describe('metrics', () => {
  it('count what the cache did', async () => {
    const text = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
    expect(text).toMatch(/^llm_proxy_cache_total\{result="hit"\} \d+$/m);
    expect(text).toMatch(/^llm_proxy_cache_total\{result="coalesced"\} \d+$/m);
    expect(text).toMatch(/^llm_proxy_cache_total\{result="semantic"\} \d+$/m);
    expect(text).toMatch(/^llm_proxy_request_total\{[^}]*cache_hit="true"[^}]*\} \d+$/m);
    expect(text).toMatch(/^llm_proxy_cache_saved_dollars_total 0\.\d+/m);
    expect(text).toMatch(/^llm_proxy_cache_store_total\{result="status"\} \d+$/m);
    expect(text).toMatch(/^llm_proxy_cache_waiting 0$/m);
  });
});
