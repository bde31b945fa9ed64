import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { untilOld } from './support/cache-entries.ts';
import { allWell, resets, ScriptedProvider, status } from './support/scripted-provider.ts';

/** A cache and a fallback chain at once: the app's own provider is down, and the answer is translated from another one's. */
const families = ['openai', 'anthropic', 'google'] as const;
type Family = (typeof families)[number];
const small: Readonly<Record<Family, string>> = { openai: 'gpt-4.1-nano', anthropic: 'claude-haiku-4-5', google: 'gemini-2.5-flash-lite' };

const keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
const providers = { openai: new ScriptedProvider(), anthropic: new ScriptedProvider(), google: new ScriptedProvider() };
let stack: Stack;

beforeAll(async () => {
  const lines: string[] = [];
  for (const name of families) {
    writeFileSync(join(keys, name), `key-of-${name}`);
    lines.push(`  ${name}: { endpoint: "${await providers[name].listen()}", credentialFile: "${join(keys, name)}" }`);
  }
  const sections = families.map(
    (name) =>
      `  - { name: to-${name}, match: { workspace: [${name}] }, cache: { mode: on }, fallback: { tiers: { simple: [${name}/${small[name]}] }, on: [server-error], drop: [neutral] } }`,
  );
  sections.push('  - { name: alone, match: { workspace: [alone] }, cache: { mode: on, ttl: 1, staleIfError: 600 }, fallback: {} }');
  sections.push(
    '  - { name: old, match: { workspace: [old] }, cache: { mode: on, ttl: 1, staleIfError: 600 }, fallback: { tiers: { simple: [anthropic/claude-haiku-4-5] }, on: [server-error] } }',
  );
  const policy = `
version: 1
providers:
${lines.join('\n')}
defaults:
  allowProviders: [openai, anthropic, google]
  candidates: { simple: [openai/gpt-4.1-nano, anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite], standard: [openai/gpt-4.1-mini, anthropic/claude-haiku-4-5, google/gemini-2.5-flash], complex: [openai/gpt-4.1, anthropic/claude-sonnet-4-6, google/gemini-2.5-pro] }
sections:
${sections.join('\n')}
`;
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all(families.map((name) => providers[name].close()));
  rmSync(keys, { recursive: true, force: true });
});

let before = 0;

/** Each provider fails too rarely to enter cooldown. */
beforeEach(async () => {
  before = (await decisions()).length;
  await fetch(`${stack.adminUrl}/cache/entries?all=true`, { method: 'DELETE' });
  allWell(families.map((name) => providers[name]));
});

interface Got {
  readonly text: string;
  readonly input: number | undefined;
  readonly output: number | undefined;
}

const question = 'What is a CDN?';

/** The same question by each family's SDK, streamed or not. */
const apps: Readonly<Record<Family, (target: Family, stream: boolean) => Promise<Got>>> = {
  openai: async (target, stream) => {
    const client = new OpenAI({
      apiKey: 'sk-app',
      baseURL: `${stack.url}/v1`,
      maxRetries: 0,
      defaultHeaders: { 'x-sluice-workspace': target },
    });
    const body = { model: 'gpt-4.1', messages: [{ role: 'user' as const, content: question }] };
    const answer = stream
      ? await client.chat.completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion()
      : await client.chat.completions.create(body);
    return { text: answer.choices[0]?.message.content ?? '', input: answer.usage?.prompt_tokens, output: answer.usage?.completion_tokens };
  },
  anthropic: async (target, stream) => {
    const client = new Anthropic({ apiKey: 'sk-app', baseURL: stack.url, maxRetries: 0, defaultHeaders: { 'x-sluice-workspace': target } });
    const body = { model: 'claude-sonnet-4-6', max_tokens: 200, messages: [{ role: 'user' as const, content: question }] };
    const { content, usage } = stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
    return {
      text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
      input: usage.input_tokens,
      output: usage.output_tokens,
    };
  },
  google: async (target, stream) => {
    const client = new GoogleGenAI({ apiKey: 'sk-app', httpOptions: { baseUrl: stack.url, headers: { 'x-sluice-workspace': target } } });
    const body = { model: 'gemini-2.5-pro', contents: question };
    let got: Got = { text: '', input: undefined, output: undefined };
    const chunks = stream ? await client.models.generateContentStream(body) : [await client.models.generateContent(body)];
    for await (const { text = '', usageMetadata } of chunks)
      got = {
        text: got.text + text,
        input: usageMetadata?.promptTokenCount ?? got.input,
        output: usageMetadata?.candidatesTokenCount ?? got.output,
      };
    return got;
  },
};

async function decisions(): Promise<ExchangeRecord[]> {
  return ((await fetch(`${stack.adminUrl}/decisions?limit=100`).then((response) => response.json())) as { decisions: ExchangeRecord[] })
    .decisions;
}

/** This test's records, newest first. */
async function records(count: number): Promise<ExchangeRecord[]> {
  await expect.poll(async () => (await decisions()).length - before).toBe(count);
  return (await decisions()).slice(0, count);
}

async function kept(): Promise<void> {
  await expect
    .poll(async () => ((await fetch(`${stack.adminUrl}/cache`).then((response) => response.json())) as { entries: number }).entries)
    .toBe(1);
}

const ways = families.flatMap((from) =>
  families.filter((to) => to !== from).flatMap((to) => [false, true].map((stream) => [from, to, stream] as const)),
);

describe('an answer that a chain fetched from another API', () => {
  it.each(ways)('is kept as the app of %s got it from %s (streamed: %s), and serves it in both forms', async (from, to, stream) => {
    providers[from].behaviour = status(503);
    const first = await apps[from](to, stream);
    expect(first.text).toContain('plausible');
    await kept();
    const same = await apps[from](to, stream);
    const other = await apps[from](to, !stream);
    expect([same, other]).toEqual([first, first]);
    expect([providers[from].got.length, providers[to].got.length]).toEqual([1, 1]);
    const [third, second, paid] = await records(3);
    for (const record of [second, third])
      expect(record).toMatchObject({
        kind: 'cached',
        cache: 'hit',
        servedModel: small[to],
        cacheEntry: { target: { provider: to, model: small[to] } },
        cost: { known: true, usd: 0 },
        attempts: [],
      });
    expect(paid?.attempts.map(({ target, reason }) => [target.provider, reason])).toEqual([
      [from, 'server-error'],
      [to, null],
    ]);
    expect(second?.usage).toEqual(paid?.usage);
  });
});

describe('an old answer where the provider fails', () => {
  // A new process has not seen the failures above, after which a target rests.
  beforeAll(async () => {
    await stack.stopSluice('SIGKILL');
    await stack.startSluice();
  });

  const post = (workspace: string, prompt: string): Promise<Response> =>
    fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': workspace },
      body: JSON.stringify({ model: 'gpt-4.1', messages: [{ role: 'user', content: prompt }] }),
    });

  const alone = { 'content-type': 'application/json', 'x-sluice-workspace': 'alone' };
  const claude = (content: string): Promise<Response> =>
    fetch(`${stack.url}/v1/messages`, {
      method: 'POST',
      headers: { ...alone, 'x-api-key': 'app', 'anthropic-version': '2023-06-01' },
      body: JSON.stringify({ model: 'claude-sonnet-4-6', max_tokens: 100, messages: [{ role: 'user', content }] }),
    });
  const gemini = (text: string): Promise<Response> =>
    fetch(`${stack.url}/v1beta/models/gemini-2.5-pro:generateContent`, {
      method: 'POST',
      headers: { ...alone, 'x-goog-api-key': 'app' },
      body: JSON.stringify({ contents: [{ parts: [{ text }] }] }),
    });

  /** The text of a response, once its answer in the cache is old. */
  async function old(response: Response): Promise<string> {
    const text = await response.text();
    await untilOld(stack.adminUrl, response);
    return text;
  }

  async function aged(workspace: string, prompt: string): Promise<string> {
    return old(await post(workspace, prompt));
  }

  it('gives way to a target that answers', async () => {
    await aged('old', 'What is a mesh?');
    providers.openai.behaviour = status(500);
    const other = await post('old', 'What is a mesh?');
    expect([other.status, other.headers.get('x-sluice-cache'), other.headers.get('x-sluice-model')]).toEqual([
      200,
      'miss',
      'claude-haiku-4-5',
    ]);
    await other.text();
    // Both are counted before the next test counts its own.
    await records(2);
  });

  it('stands at the end of a chain, after all targets', async () => {
    const text = await aged('old', 'What is a proxy?');
    providers.openai.behaviour = status(500);
    providers.anthropic.behaviour = status(529);
    const met = await post('old', 'What is a proxy?');
    expect([met.status, met.headers.get('x-sluice-cache'), await met.text()]).toEqual([200, 'stale', text]);
    const [record] = await records(2);
    expect(record).toMatchObject({ cache: 'stale', outcome: 'complete', cacheEntry: { target: { provider: 'openai' } } });
    expect(record?.attempts.map(({ target, reason }) => [target.provider, reason])).toEqual([
      ['openai', 'server-error'],
      ['anthropic', 'overloaded'],
    ]);
  });

  it('bridges connections that break', async () => {
    const text = await old(await gemini('What is a socket?'));
    providers.google.behaviour = resets;
    const met = await gemini('What is a socket?');
    expect([met.status, met.headers.get('x-sluice-cache'), await met.text()]).toEqual([200, 'stale', text]);
    const [record] = await records(2);
    // The cost of a request that the provider never answered is unknown.
    expect(record).toMatchObject({
      kind: 'decision',
      cache: 'stale',
      attempts: [{ status: null, reason: 'reset' }],
      cost: { known: false },
    });
  });

  it('bridges a provider that is not there from the second request on', async () => {
    const text = await old(await claude('What is a socket?'));
    await providers.anthropic.close();
    const met = await claude('What is a socket?');
    expect(met.status).toBe(503);
    await met.text();
    await records(2);
    const next = await claude('What is a socket?');
    expect([next.status, next.headers.get('x-sluice-cache'), await next.text()]).toEqual([200, 'stale', text]);
  });
});
