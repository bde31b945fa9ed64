import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, counted, words } from '../src/apis/testing/fixtures.ts';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { recordOf } from './support/record.ts';
import { allWell, ScriptedProvider, status, type Behaviour } from './support/scripted-provider.ts';

const keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
const openai = new ScriptedProvider();
const cohere = new ScriptedProvider();
let stack: Stack;

const large = 'command-a-03-2025';
const small = 'command-r7b-12-2024';

beforeAll(async () => {
  for (const name of ['openai', 'cohere']) writeFileSync(join(keys, name), `key-of-${name}`);
  const able =
    'contextWindow: 128000, maxOutput: 4000, mode: chat, capabilities: { tools: true, jsonObject: true, jsonSchema: true, vision: true }';
  const policy = `
version: 1
providers:
  openai: { endpoint: "${await openai.listen()}", credentialFile: "${join(keys, 'openai')}" }
  cohere: { dialect: cohere, endpoint: "${await cohere.listen()}", pathPrefix: /cohere, credentialFile: "${join(keys, 'cohere')}" }
catalog:
  overrides:
    cohere: { ${large}: { input: 2.5, output: 10, ${able} }, ${small}: { input: 0.0375, output: 0.15, ${able} } }
defaults:
  allowProviders: [openai, cohere]
  candidates: { simple: [openai/gpt-4.1-nano, cohere/${small}], standard: [openai/gpt-4.1-mini, cohere/${large}], complex: [openai/gpt-4.1, cohere/${large}] }
  fallback: { tiers: { simple: [cohere/${small}, openai/gpt-4.1-nano] }, on: [server-error, rate-limit], drop: [neutral, seed] }
sections:
  - { name: cached, match: { workspace: [cached] }, cache: { mode: on } }
`;
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all([openai.close(), cohere.close()]);
  rmSync(keys, { recursive: true, force: true });
});

beforeEach(async () => {
  allWell([openai, cohere]);
  // Targets that rest must not do so in the next test: a new process knows of nothing.
  await stack.stopSluice('SIGKILL');
  await stack.startSluice();
});

/** The recorded answer, in the form that was asked for. */
const recorded =
  (name: 'text' | 'calls'): Behaviour =>
  ({ body }, response) => {
    const stream = /"stream"\s*:\s*true/.test(body);
    response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
    response.end(answerOf('cohere-chat', name, stream).body);
  };

const question = { model: large, messages: [{ role: 'user', content: 'What is a CDN?' }] };

async function chat(
  more: object = {},
  workspace = 'plain',
  path = '/cohere/v2/chat',
): Promise<{ readonly body: string; readonly record: ExchangeRecord; readonly headers: Headers }> {
  const response = await fetch(`${stack.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer app', 'x-sluice-workspace': workspace },
    body: JSON.stringify({ ...question, ...more }),
  });
  const body = await response.text();
  return { body, headers: response.headers, record: await recordOf(stack.adminUrl, response.headers.get('x-sluice-decision')) };
}

describe('an app of Cohere', () => {
  it.each([false, true])('is routed, counted and priced (streamed: %s)', async (stream) => {
    cohere.behaviour = recorded('text');
    const { body, record } = await chat({ stream });
    expect(body).toBe(answerOf('cohere-chat', 'text', stream).body);
    expect(record).toMatchObject({
      api: 'cohere-chat',
      outcome: 'complete',
      requestedModel: large,
      servedModel: small,
      finishReason: 'COMPLETE',
      usage: { totalInput: counted.input, totalOutput: counted.output },
      cost: { known: true },
    });
    expect(JSON.parse(cohere.got[0]!.body)).toEqual({ ...question, model: small, stream });
    expect(cohere.got[0]!.path).toBe('/v2/chat');
  });

  it('is found by its path alone', async () => {
    expect((await chat({}, 'plain', '/v2/chat')).record).toMatchObject({ api: 'cohere-chat', provider: 'cohere', outcome: 'complete' });
  });

  it.each([false, true])('is answered by OpenAI where its provider fails (streamed: %s)', async (stream) => {
    cohere.behaviour = status(503, { message: 'Everyone is here today.' });
    const { body, record } = await chat({ stream });
    expect(record.attempts.map(({ target, reason }) => [target.provider, reason]).at(-1)).toEqual(['openai', null]);
    expect(record).toMatchObject({ outcome: 'complete', servedModel: 'gpt-4.1-nano', cost: { known: true } });
    expect(body).toContain(stream ? 'event: message-end' : '"finish_reason":"COMPLETE"');
    expect(openai.got[0]!.headers.authorization).toBe('Bearer key-of-openai');
  });

  it('gets the errors of Sluice in its own form', async () => {
    cohere.behaviour = status(400, { message: 'invalid request: all elements in messages must have text' });
    expect(JSON.parse((await chat()).body)).toEqual({ message: 'invalid request: all elements in messages must have text' });
  });

  it('gets a cached answer in the form that it asks for', async () => {
    cohere.behaviour = recorded('calls');
    const first = await chat({ temperature: 0 }, 'cached');
    const second = await chat({ temperature: 0, stream: true }, 'cached');
    expect([first, second].map(({ headers }) => headers.get('x-sluice-cache'))).toEqual(['miss', 'hit']);
    expect(second.body).toContain('event: tool-call-start');
    expect(second.body).toContain('12345678901234567890');
    expect(cohere.got).toHaveLength(1);
  });
});

describe('an app of OpenAI', () => {
  const client = (): OpenAI => new OpenAI({ apiKey: 'sk-app', baseURL: `${stack.url}/v1`, maxRetries: 0 });
  const body = {
    model: 'gpt-4.1',
    messages: [
      { role: 'system' as const, content: 'Be brief.' },
      { role: 'user' as const, content: 'What is a CDN?' },
    ],
  };

  it.each([false, true])('is answered by Cohere where its provider fails (streamed: %s)', async (stream) => {
    openai.behaviour = status(503);
    cohere.behaviour = recorded('text');
    const answer = stream
      ? await client()
          .chat.completions.stream({ ...body, stream: true, stream_options: { include_usage: true } })
          .finalChatCompletion()
      : await client().chat.completions.create(body);
    expect(answer.choices[0]?.message.content).toBe(words.join(''));
    expect(answer.usage).toMatchObject({ prompt_tokens: counted.input, completion_tokens: counted.output });
    expect(cohere.got[0]!.headers.authorization).toBe('Bearer key-of-cohere');
    expect(JSON.parse(cohere.got[0]!.body)).toEqual({ model: small, messages: body.messages, stream });
    expect(JSON.stringify(cohere.got[0]!.headers)).not.toContain('sk-app');
  });

  it('calls tools', async () => {
    openai.behaviour = status(503);
    cohere.behaviour = recorded('calls');
    const tools = [
      { type: 'function' as const, function: { name: 'look_up', parameters: { type: 'object', properties: { id: { type: 'integer' } } } } },
    ];
    const { choices } = await client().chat.completions.create({ ...body, tools });
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    expect(choices[0]?.message.tool_calls?.map((call) => (call.type === 'function' ? call.function.name : ''))).toEqual([
      'look_up',
      'no_arguments',
    ]);
  });
});
