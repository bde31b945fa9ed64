import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { recordOf } from './support/record.ts';

const simulator = new ProviderSimulator();
let stack: Stack;

const keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
writeFileSync(join(keys, 'anthropic'), 'gateway-key');

const policy = `
version: 1
defaults: { tiers: [] }
sections:
  - { name: told, match: { workspace: [told] }, inAnswer: { decision: true, cost: true } }
  - { name: kept, match: { workspace: [kept] }, inAnswer: { decision: true, cost: true }, cache: { mode: on } }
  - name: crossed
    match: { workspace: [crossed] }
    inAnswer: { decision: true, cost: true }
    allowProviders: [anthropic]
    keys: { anthropic: "${join(keys, 'anthropic')}" }
    tiers: [simple, standard, complex]
    otherApis: always
    upgrades: allow
    candidates: { simple: [anthropic/claude-haiku-4-5], standard: [anthropic/claude-haiku-4-5], complex: [anthropic/claude-haiku-4-5] }
`;

beforeAll(async () => {
  stack = new Stack({ policy, endpoint: await simulator.listen(), serve: ['--request-id-header', 'x-request-id'] });
  await stack.start();
});
afterAll(async () => {
  await stack.stop();
  await simulator.close();
  rmSync(keys, { recursive: true });
});

const headers = (workspace: string): Record<string, string> => ({ 'x-sluice-workspace': workspace });

async function ask(
  workspace: string,
  path: string,
  body: object,
  more: Record<string, string> = {},
): Promise<{ id: string; cost: string | null; text: string }> {
  const response = await fetch(stack.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', ...headers(workspace), ...more },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  expect([response.status, text]).toEqual([200, text]);
  return { id: response.headers.get('x-sluice-decision') ?? '', cost: response.headers.get('x-sluice-cost'), text };
}

const hello = { model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is DNS?' }] };
const claudeHeaders = { 'x-api-key': 'k', 'anthropic-version': '2023-06-01', authorization: '' };
const gemini = '/v1beta/models/gemini-2.5-flash';
const contents = { contents: [{ role: 'user', parts: [{ text: 'What is DNS?' }] }] };
const requests: readonly (readonly [string, string, object, Record<string, string>])[] = [
  ['chat', '/v1/chat/completions', hello, {}],
  ['Responses', '/v1/responses', { model: 'gpt-5.1', input: 'What is DNS?', metadata: { ticket: '7' } }, {}],
  ['Anthropic', '/v1/messages', { model: 'claude-haiku-4-5', max_tokens: 50, messages: hello.messages }, claudeHeaders],
  ['Gemini', `${gemini}:generateContent`, contents, { 'x-goog-api-key': 'k', authorization: '' }],
];

describe.each(['told', 'crossed'])('an answer in workspace %s', (workspace) => {
  it.each(workspace === 'crossed' ? requests.slice(0, 1) : requests)(
    'has the decision in its metadata and the cost in a header: %s',
    async (_what, path, body, more) => {
      const { id, cost, text } = await ask(workspace, path, body, more);
      expect(JSON.parse(text)).toMatchObject({ metadata: { sluice_decision: id } });
      const record = await recordOf(stack.adminUrl, id);
      expect([record.cost.known, record.attempts.at(-1)?.target.provider === 'anthropic']).toEqual([
        true,
        workspace === 'crossed' || path === '/v1/messages',
      ]);
      expect(Number(cost)).toBeCloseTo(record.cost.known ? record.cost.usd : NaN, 9);
      expect(Number(cost)).toBeGreaterThan(0);
    },
  );

  it('has both as comments of a stream', async () => {
    const { id, text } = await ask(workspace, '/v1/chat/completions', { ...hello, stream: true, stream_options: { include_usage: true } });
    expect(text.startsWith(`: sluice-decision ${id}\n\ndata: `)).toBe(true);
    const record = await recordOf(stack.adminUrl, id);
    const cost = /data: \[DONE\]\n\n: sluice-cost ([\d.]+)\n\n$/.exec(text)?.[1];
    expect(Number(cost)).toBeCloseTo(record.cost.known ? record.cost.usd : NaN, 9);
  });
});

it('says that a stream’s cost is unknown, and nothing where the app gets no events or the policy says nothing', async () => {
  const { text } = await ask('told', '/v1/chat/completions', { ...hello, stream: true });
  expect(text.endsWith(': sluice-cost unknown\n\n')).toBe(true);
  const list = await ask('told', `${gemini}:streamGenerateContent`, contents, { 'x-goog-api-key': 'k', authorization: '' });
  expect(Array.isArray(JSON.parse(list.text))).toBe(true);
  const plain = await ask('plain', '/v1/chat/completions', hello);
  expect([plain.cost, plain.text.includes('sluice')]).toEqual([null, false]);
});

it('tells of this request where the cache answers, which costs nothing', async () => {
  for (const more of [{}, { stream: true, stream_options: { include_usage: true } }]) {
    const body = { ...hello, ...more, temperature: 0, seed: 1 };
    const first = await ask('kept', '/v1/chat/completions', body);
    await recordOf(stack.adminUrl, first.id);
    const second = await ask('kept', '/v1/chat/completions', body);
    expect((await recordOf(stack.adminUrl, second.id)).cache).toBe('hit');
    expect(second.cost).toBe('0');
    expect(second.text).toContain(second.id);
    expect(second.text).not.toContain(first.id);
    expect(second.text).not.toContain('sluice-cost 0.');
  }
});

it('leaves answers that the official SDKs read', async () => {
  const openai = new OpenAI({ apiKey: 'k', baseURL: `${stack.url}/v1`, defaultHeaders: headers('told'), maxRetries: 0 });
  const chunks: string[] = [];
  for await (const chunk of await openai.chat.completions.create({
    model: 'gpt-5.1',
    messages: [{ role: 'user', content: 'What is DNS?' }],
    stream: true,
  }))
    chunks.push(chunk.choices[0]?.delta.content ?? '');
  expect(chunks.join('').length).toBeGreaterThan(0);
  const answered = await openai.responses.create({ model: 'gpt-5.1', input: 'What is DNS?', metadata: { ticket: '7' } });
  expect(answered.metadata).toMatchObject({ sluice_decision: expect.stringMatching(/^[0-9a-f-]{36}$/) as string });
  const anthropic = new Anthropic({ apiKey: 'k', baseURL: stack.url, defaultHeaders: headers('told'), maxRetries: 0 });
  const said = await anthropic.messages
    .stream({ model: 'claude-haiku-4-5', max_tokens: 50, messages: [{ role: 'user', content: 'What is DNS?' }] })
    .finalText();
  expect(said.length).toBeGreaterThan(0);
  const google = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: stack.url, headers: headers('told') } });
  const texts: string[] = [];
  for await (const part of await google.models.generateContentStream({ model: 'gemini-2.5-flash', contents: 'What is DNS?' }))
    texts.push(part.text ?? '');
  expect(texts.join('').length).toBeGreaterThan(0);
});

it('is found by each id that somebody else has of it: the answer, the request as the app calls it, the trace', async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const own = { 'x-request-id': 'ticket-4711', traceparent: `00-${trace}-b7ad6b7169203331-01` };
  const { id, text } = await ask('told', '/v1/chat/completions', hello, own);
  const ids = ['ticket-4711', trace, (JSON.parse(text) as { readonly id: string }).id];
  for (const given of ids)
    await expect
      .poll(async () => {
        const found = (await (await fetch(`${stack.adminUrl}/decisions?id=${given}`)).json()) as {
          readonly decisions: readonly { readonly id: string }[];
        };
        return found.decisions.map((decision) => decision.id);
      })
      // The simulator gives the same answer the same id.
      .toContain(id);
});
