import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import { recordOf } from './support/record.ts';
import { allWell, ScriptedProvider } from './support/scripted-provider.ts';

/** The candidates of OpenAI's traffic speak Google's API, and no section has a fallback. */
const keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
const openai = new ScriptedProvider();
const google = new ScriptedProvider();
let stack: Stack;

beforeAll(async () => {
  writeFileSync(join(keys, 'google'), 'key-of-google');
  const candidates =
    'candidates: { simple: [google/gemini-2.5-flash-lite], standard: [google/gemini-2.5-flash-lite], complex: [google/gemini-2.5-flash-lite] }';
  const policy = `
version: 1
providers:
  openai: { endpoint: "${await openai.listen()}" }
  google: { endpoint: "${await google.listen()}", credentialFile: "${join(keys, 'google')}" }
defaults:
  allowProviders: [google]
  ${candidates}
`;
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all([openai.close(), google.close()]);
  rmSync(keys, { recursive: true, force: true });
});

beforeEach(() => {
  allWell([openai, google]);
});

const client = (): OpenAI => new OpenAI({ apiKey: 'sk-app', baseURL: `${stack.url}/v1`, maxRetries: 0 });
const question = { model: 'gpt-4.1', messages: [{ role: 'user' as const, content: 'What is a CDN?' }] };

it('a candidate of another API takes the first attempt, translated, with its own key', async () => {
  const { data, response } = await client().chat.completions.create(question).withResponse();
  expect(data.choices[0]?.message.content).not.toBe('');
  expect([openai.got.length, google.got.length]).toEqual([0, 1]);
  expect(google.got[0]?.path).toContain('/models/gemini-2.5-flash-lite:generateContent');
  expect(google.got[0]?.headers['x-goog-api-key']).toBe('key-of-google');
  expect(google.got[0]?.headers['authorization']).toBeUndefined();
  const record = await recordOf(stack.adminUrl, response.headers.get('x-sluice-decision') ?? '');
  expect([record.decision?.served.provider, record.servedModel, record.decision?.reason]).toEqual([
    'google',
    'gemini-2.5-flash-lite',
    'tier',
  ]);
  expect(record.cost?.known).toBe(true);
});

it('streams are translated as well', async () => {
  let text = '';
  for await (const chunk of await client().chat.completions.create({ ...question, stream: true }))
    text += chunk.choices[0]?.delta.content ?? '';
  expect(text).not.toBe('');
  expect([openai.got.length, google.got.length]).toEqual([0, 1]);
});

it('a request that would lose something keeps its model', async () => {
  const { response } = await client()
    .chat.completions.create({ ...question, logit_bias: { 50256: -100 } })
    .withResponse();
  expect([openai.got.length, google.got.length]).toEqual([1, 0]);
  const record = await recordOf(stack.adminUrl, response.headers.get('x-sluice-decision') ?? '');
  expect(record.decision?.candidates[0]).toMatchObject({
    disqualified: 'not-translatable',
    obstacles: [{ path: 'logit_bias', why: expect.any(String) as string }],
  });
});
