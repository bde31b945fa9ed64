import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { createPartFromFunctionResponse, GoogleGenAI } from '@google/genai';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { ScriptedProvider, status, well } from './support/scripted-provider.ts';

const keys = mkdtempSync(join(tmpdir(), 'sluice-masking-'));
const providers = { openai: new ScriptedProvider(), anthropic: new ScriptedProvider(), google: new ScriptedProvider() };
const names = ['openai', 'anthropic', 'google'] as const;
let stack: Stack;

beforeAll(async () => {
  const lines: string[] = [];
  for (const name of names) {
    writeFileSync(join(keys, name), `key-of-${name}`);
    lines.push(`  ${name}: { endpoint: "${await providers[name].listen()}", credentialFile: "${join(keys, name)}" }`);
  }
  writeFileSync(join(keys, 'mask'), 'a secret that replicas share');
  const policy = `
version: 1
providers:
${lines.join('\n')}
defaults:
  tiers: []
  prompts: { capture: truncate, units: 1000 }
  allowProviders: [openai, anthropic, google]
  sensitivity:
    - { name: zeus, pattern: 'project zeus', then: { block: 'Not that one.' } }
    - { name: email, pattern: '[\\w.+-]+@[\\w-]+\\.\\w+', then: { mask: true } }
    - { name: card, pattern: '\\b\\d{16}\\b', then: { mask: true, block: 'No cards here.' } }
sections:
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on, ttl: 3600 } }
  - { name: chained, match: { workspace: [chained] }, fallback: { models: { gpt-4.1: [openai/gpt-4.1-nano, anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite] }, attempts: 4, on: [server-error, overloaded] } }
  - { name: shadow, match: { workspace: [shadow] }, mode: shadow }
`;
  stack = new Stack({ policy, endpoint: null, serve: ['--mask-key', join(keys, 'mask')] });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all(names.map((name) => providers[name].close()));
  rmSync(keys, { recursive: true, force: true });
});

beforeEach(() => {
  for (const name of names) {
    providers[name].got.length = 0;
    providers[name].behaviour = well;
  }
});

const address = 'alice.canary@example.com';
const card = '4111111111111111';
const emailToken = /\[EMAIL_(?:[0-9][a-f]){5}\]/;
const apps = (workspace = 'default') => {
  const defaultHeaders = { 'x-sluice-workspace': workspace };
  return {
    openai: new OpenAI({ apiKey: 'sk-test', baseURL: `${stack.url}/v1`, maxRetries: 0, defaultHeaders }),
    anthropic: new Anthropic({ apiKey: 'test', baseURL: stack.url, maxRetries: 0, defaultHeaders }),
    google: new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: stack.url, headers: defaultHeaders } }),
  };
};
const got = (name: (typeof names)[number]): string => providers[name].got.at(-1)?.body ?? 'nothing came';
const ask = (text: string, more: object = {}): OpenAI.ChatCompletionCreateParamsNonStreaming => ({ model: 'gpt-4.1', messages: [{ role: 'user', content: text }], ...more });

async function records(): Promise<readonly ExchangeRecord[]> {
  await new Promise((resolve) => setTimeout(resolve, 150));
  const { decisions } = (await fetch(`${stack.adminUrl}/decisions?limit=100`).then((response) => response.json())) as { decisions: ExchangeRecord[] };
  return decisions;
}

/** What the provider got of a text: the same text with a token in the place of the address. */
function masked(body: string, before: string, after: string): string {
  const at = body.indexOf(before);
  const token = emailToken.exec(body.slice(at))?.[0] ?? '';
  expect(body).toContain(before + token + after);
  expect(body).not.toContain(address);
  expect(token).toMatch(emailToken);
  return token;
}

describe('what a rule masks leaves as a token', () => {
  it('in every API of the official SDKs, streamed or not, the same one in a workspace', async () => {
    const { openai, anthropic, google } = apps();
    const tokens = new Set<string>();
    await openai.chat.completions.create(ask(`Write to ${address}, please.`));
    tokens.add(masked(got('openai'), 'Write to ', ', please.'));
    for await (const chunk of await openai.chat.completions.create({ ...ask(`Write to ${address}, please.`), stream: true })) expect(chunk).toBeTypeOf('object');
    tokens.add(masked(got('openai'), 'Write to ', ', please.'));
    await openai.responses.create({ model: 'gpt-4.1', instructions: `You are ${address}.`, input: [{ role: 'user', content: 'Who are you?' }] });
    tokens.add(masked(got('openai'), 'You are ', '."'));
    await openai.embeddings.create({ model: 'text-embedding-3-small', input: ['a', `to ${address}`] });
    tokens.add(masked(got('openai'), '"to ', '"'));
    await anthropic.messages.create({ model: 'claude-haiku-4-5', max_tokens: 10, system: `You are ${address}.`, messages: [{ role: 'user', content: 'Who are you?' }] });
    tokens.add(masked(got('anthropic'), 'You are ', '."'));
    await google.models.generateContent({ model: 'gemini-2.5-flash', contents: [{ role: 'user', parts: [{ text: 'Who?' }, createPartFromFunctionResponse('call_1', 'f', { who: address })] }] });
    tokens.add(masked(got('google'), '"who":"', '"'));
    expect(tokens.size).toBe(1);
    await apps('elsewhere').openai.chat.completions.create(ask(`Write to ${address}, please.`));
    expect(tokens).not.toContain(masked(got('openai'), 'Write to ', ', please.'));
  });

  it('in tools’ arguments and results, and numbers of them', async () => {
    await apps().openai.chat.completions.create(
      ask('', {
        messages: [
          { role: 'user', content: 'Pay.' },
          { role: 'assistant', tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'pay', arguments: `{"card":${card},"to":"${address}"}` } }] },
          { role: 'tool', tool_call_id: 'call_1', content: `{"paid":"${address}"}` },
        ],
      }),
    );
    const { messages } = JSON.parse(got('openai')) as { messages: { content: string; tool_calls?: { function: { arguments: string } }[] }[] };
    expect(JSON.parse(messages[1]!.tool_calls![0]!.function.arguments)).toEqual({ card: expect.stringMatching(/^\[CARD_\w{10}\]$/) as string, to: expect.stringMatching(emailToken) as string });
    expect(messages[2]!.content).toMatch(/^\{"paid":"\[EMAIL_\w{10}\]"\}$/);
  });

  it('and every other byte is as it came, whatever the caller says', async () => {
    const body = (value: string): string => `{ "model" : "gpt-4.1","seed":12345678901234567890, "messages":[{"role":"user","content":"\\u0041 ${value} é"}] }`;
    const post = async (headers: object = {}): Promise<number> => (await fetch(`${stack.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test', ...headers }, body: body(address) })).status;
    for (const headers of [{}, { 'x-sluice-route': 'off' }]) {
      expect(await post(headers)).toBe(200);
      expect(got('openai')).toBe(body(emailToken.exec(got('openai'))?.[0] ?? ''));
      expect(providers.openai.got.at(-1)!.headers['content-length']).toBe(String(Buffer.byteLength(got('openai'))));
    }
  });

  it('in a body of megabytes', async () => {
    const long = `${'Lorem ipsum dolor sit amet. '.repeat(60_000)}${address}`;
    await apps().openai.chat.completions.create(ask(long));
    expect(got('openai')).toContain('Lorem ipsum dolor sit amet. [EMAIL_');
    expect(got('openai')).not.toContain(address);
  });

  it('at every attempt of a chain, in other APIs too', async () => {
    providers.openai.behaviour = status(500);
    providers.anthropic.behaviour = status(529);
    await apps('chained').openai.chat.completions.create(ask(`What is ${address}?`));
    expect(providers.openai.got.map(({ model }) => model)).toEqual(['gpt-4.1', 'gpt-4.1-nano']);
    const bodies = names.flatMap((name) => providers[name].got.map(({ body }) => body));
    expect(new Set(bodies.map((body) => masked(body, 'What is ', '?'))).size).toBe(1);
    expect(bodies).toHaveLength(4);
  });

  it('in files and batches', async () => {
    const { openai, anthropic } = apps();
    await openai.files.create({ purpose: 'batch', file: await toFile(Buffer.from(`{"custom_id":"1","body":{"messages":[{"role":"user","content":"to ${address}"}]}}\n`), 'batch.jsonl') });
    masked(got('openai'), '"to ', '"');
    await anthropic.messages.batches.create({ requests: [{ custom_id: '1', params: { model: 'claude-haiku-4-5', max_tokens: 10, messages: [{ role: 'user', content: `to ${address}` }] } }] });
    masked(got('anthropic'), '"to ', '"');
  });
});

describe('what cannot be masked', () => {
  const inBase64 = (text: string): string => `data:text/plain;base64,${Buffer.from(text).toString('base64')}`;
  it.each<readonly [string, string, string]>([
    ['a file in base64', address, 'This request holds email where it cannot be masked.'],
    ['a file in base64, in the rule’s words', card, 'No cards here.'],
  ])('is refused: %s', async (_name, value, message) => {
    const file = { type: 'file', file: { filename: 'a.txt', file_data: inBase64(`It is ${value}.`) } } as const;
    await expect(apps().openai.chat.completions.create(ask('', { messages: [{ role: 'user', content: [file] }] }))).rejects.toMatchObject({ status: 403, message: expect.stringContaining(message) as string });
    expect(providers.openai.got).toEqual([]);
    expect((await records()).find(({ outcome }) => outcome === 'blocked')).toMatchObject({ passReason: 'unmasked' });
  });

  it('is refused in an upload that is no text', async () => {
    const file = await toFile(Buffer.concat([Buffer.from([0xff, 0, 0xd8]), Buffer.from(` ${address} `)]), 'a.bin');
    await expect(apps().openai.files.create({ purpose: 'user_data', file })).rejects.toMatchObject({ status: 403 });
    expect(providers.openai.got).toEqual([]);
  });

  it('does not matter where another rule refuses the request', async () => {
    await expect(apps().openai.chat.completions.create(ask(`${address} works on project zeus`))).rejects.toMatchObject({ status: 403, message: expect.stringContaining('Not that one.') as string });
    expect(providers.openai.got).toEqual([]);
  });
});

describe('what was masked', () => {
  it('is counted, and explained', async () => {
    const before = await metric('email');
    await apps().openai.chat.completions.create(ask(`${address} and bob.canary@example.com, and ${address}`));
    const [record] = await records();
    expect(record).toMatchObject({ masked: [{ rule: 'email', matches: 3 }], request: { promptStart: null, promptHash: null } });
    expect((await metric('email')) - before).toBe(3);
    const explained = execFileSync('bin/sluice', ['explain', '--admin', stack.adminUrl, record!.id], { encoding: 'utf8' });
    expect(explained).toContain('Masked: 3 of email');
  });

  it('shares answers in the cache under its tokens', async () => {
    const call = async (): Promise<string | null> => (await apps('cached').openai.chat.completions.create(ask(`Who is ${address}?`)).withResponse()).response.headers.get('x-sluice-cache');
    expect([await call(), await call()]).toEqual(['miss', 'hit']);
    expect(providers.openai.got).toHaveLength(1);
  });

  it('goes out as it is where the policy only looks on', async () => {
    await apps('shadow').openai.chat.completions.create(ask(`What is ${address}?`));
    expect(got('openai')).toContain(address);
  });

  it('is kept nowhere', async () => {
    expect(JSON.stringify(await records())).not.toMatch(/canary|4111111111111111/);
    const files = readdirSync(stack.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && /ledger|sluice\.log|budgets/.test(entry.name));
    expect(files.length).toBeGreaterThan(1);
    for (const { parentPath, name } of files) expect(readFileSync(join(parentPath, name)).toString('latin1'), name).not.toMatch(/canary|4111111111111111/);
  });
});

async function metric(rule: string): Promise<number> {
  const text = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
  return Number(new RegExp(`llm_proxy_masked_total\\{rule="${rule}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
}
