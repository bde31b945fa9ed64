import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { allWell, events, hangs, resets, says, ScriptedProvider, status, well, type Behaviour } from './support/scripted-provider.ts';
import { recordOf as recordAt } from './support/record.ts';

const keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
for (const name of ['mistral', 'deepseek']) writeFileSync(join(keys, name), `key-of-${name}\n`);

/** A chain of two models of one provider and two other providers; the workspaces differ in what they watch for. */
const policyFor = (endpoints: Readonly<Record<'openai' | 'mistral' | 'deepseek', string>>): string => `
version: 1
providers:
  openai: { endpoint: "${endpoints.openai}" }
  mistral: { endpoint: "${endpoints.mistral}", credentialFile: "${join(keys, 'mistral')}" }
  deepseek: { endpoint: "${endpoints.deepseek}", credentialFile: "${join(keys, 'deepseek')}" }
defaults:
  allowProviders: [mistral, deepseek]
  candidates:
    simple: [openai/gpt-4.1-nano]
    standard: [openai/gpt-4.1-mini]
    complex: [openai/gpt-4.1]
  fallback:
    tiers: { simple: [openai/gpt-4.1-mini, mistral/mistral-large-latest, deepseek/deepseek-chat] }
    attempts: 4
sections:
  - name: strict
    match: { workspace: [strict] }
    fallback:
      tiers: { simple: [openai/gpt-4.1-mini, mistral/mistral-large-latest] }
      on: [connect, reset, timeout, server-error, content-filter, refusal, empty, length, invalid-json, bad-tool-call, stream-error, context-window]
  # Where a provider is silent: longer than an answer takes on a busy machine.
  - name: hasty
    match: { workspace: [hasty] }
    fallback:
      tiers: { simple: [openai/gpt-4.1-mini, mistral/mistral-large-latest, deepseek/deepseek-chat] }
      attempts: 4
      attemptSeconds: 3
  - name: plain
    match: { workspace: [plain] }
    fallback: { attempts: 1 }
  - name: narrow
    match: { workspace: [narrow] }
    fallback: { tiers: { simple: [mistral/mistral-large-latest] }, on: [rate-limit] }
`;

const openai = new ScriptedProvider();
const mistral = new ScriptedProvider();
const deepseek = new ScriptedProvider();
let stack: Stack;

beforeAll(async () => {
  const policy = policyFor({ openai: await openai.listen(), mistral: await mistral.listen(), deepseek: await deepseek.listen() });
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all([openai.close(), mistral.close(), deepseek.close()]);
  rmSync(keys, { recursive: true, force: true });
});

let testsSinceStart = 0;

/** Restarts Sluice, so that cooldowns and failure counts do not carry over to the next test. */
async function restart(): Promise<void> {
  testsSinceStart = 0;
  await stack.stopSluice('SIGKILL');
  await stack.startSluice();
}

beforeEach(async () => {
  const metrics = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
  if (metrics.includes('llm_proxy_target_cooling{') || ++testsSinceStart > 3) await restart();
  allWell([openai, mistral, deepseek]);
});

/** What the model of a request decides. */
const byModel =
  (table: Readonly<Record<string, Behaviour>>): Behaviour =>
  (got, response, answer) =>
    (table[got.model] ?? well)(got, response, answer);

const nanoFails = (behaviour: Behaviour): Behaviour => byModel({ 'gpt-4.1-nano': behaviour });

interface Asked {
  readonly response: Response;
  readonly text: string;
  readonly record: ExchangeRecord;
}

async function ask(workspace = 'team', extra: object = {}): Promise<Asked> {
  const response = await fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': workspace },
    body: JSON.stringify({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is a CDN?' }], ...extra }),
  });
  const text = await response.text().catch(() => '(cut)');
  return { response, text, record: await recordOf(response.headers.get('x-sluice-decision')!) };
}

const recordOf = (id: string): Promise<ExchangeRecord> => recordAt(stack.adminUrl, id);

const served = ({ response }: Asked) => [
  response.status,
  response.headers.get('x-sluice-model'),
  response.headers.get('x-sluice-attempts'),
];
const ends = ({ record }: Asked) => record.attempts.map(({ target, reason }) => [target.model, reason]);

const tooLong = {
  error: {
    message: "This model's maximum context length is 1047576 tokens.",
    type: 'invalid_request_error',
    code: 'context_length_exceeded',
  },
};
const chat = (message: object, finish_reason = 'stop') => ({
  model: 'gpt-4.1-nano',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
});

describe('a chain', () => {
  it('leaves a first attempt that succeeds as it is', async () => {
    const asked = await ask();
    expect(served(asked)).toEqual([200, 'gpt-4.1-nano', '1']);
    expect(asked.record).toMatchObject({ outcome: 'complete', servedModel: 'gpt-4.1-nano', cost: { known: true } });
    expect(ends(asked)).toEqual([['gpt-4.1-nano', null]]);
    expect(asked.response.headers.get('x-sluice-retry')).toBeNull();
    // Headers for Envoy must not reach the provider.
    expect(
      Object.keys(openai.got[0]!.headers).filter(
        (name) => name.startsWith('x-sluice') || name.startsWith('x-envoy-retry') || name.startsWith('x-envoy-max'),
      ),
    ).toEqual([]);
    expect(openai.got[0]!.path).toBe('/v1/chat/completions');
  });

  it.each<readonly [string, Behaviour, string]>([
    ['500', status(500), 'server-error'],
    ['503', status(503), 'server-error'],
    ['429', status(429, { error: { message: 'slow down' } }, { 'retry-after': '7' }), 'rate-limit'],
    ['529', status(529, { type: 'error', error: { type: 'overloaded_error' } }), 'overloaded'],
    ['404', status(404, { error: { code: 'model_not_found' } }), 'model-gone'],
    ['a reset', resets, 'reset'],
    ['silence', hangs, 'timeout'],
  ])('goes on after %s', async (_what, behaviour, reason) => {
    openai.behaviour = nanoFails(behaviour);
    for (const stream of [false, true]) {
      if (stream && ['rate-limit', 'overloaded', 'model-gone'].includes(reason)) await restart();
      const asked = await ask(reason === 'timeout' ? 'hasty' : 'team', { stream });
      expect(served(asked)).toEqual([200, 'gpt-4.1-mini', '2']);
      expect(ends(asked)).toEqual([
        ['gpt-4.1-nano', reason],
        ['gpt-4.1-mini', null],
      ]);
      expect(asked.record).toMatchObject({ outcome: 'complete', servedModel: 'gpt-4.1-mini', requestedModel: 'gpt-4.1' });
      expect(asked.text).toContain('simulator');
      // The cost of a request without a response is unknown.
      expect(asked.record.cost.known).toBe(!stream && reason !== 'reset' && reason !== 'timeout');
      expect(openai.got.at(-1)!.body).toContain('"model":"gpt-4.1-mini"');
    }
  });

  it('crosses providers with their own keys, and never shows one the key of another', async () => {
    openai.behaviour = status(500);
    mistral.behaviour = status(503);
    const asked = await ask();
    expect(served(asked)).toEqual([200, 'deepseek-chat', '4']);
    expect(ends(asked)).toEqual([
      ['gpt-4.1-nano', 'server-error'],
      ['gpt-4.1-mini', 'server-error'],
      ['mistral-large-latest', 'server-error'],
      ['deepseek-chat', null],
    ]);
    expect(openai.got.map(({ headers }) => headers.authorization)).toEqual(['Bearer sk-app', 'Bearer sk-app']);
    expect(mistral.got.map(({ headers }) => headers.authorization)).toEqual(['Bearer key-of-mistral']);
    expect(deepseek.got.map(({ headers }) => headers.authorization)).toEqual(['Bearer key-of-deepseek']);
    expect(asked.record.servedModel).toBe('deepseek-chat');
  });

  it('gives the app the last error when no target is left', async () => {
    openai.behaviour = status(500);
    mistral.behaviour = status(500);
    deepseek.behaviour = status(418, { error: { message: 'the last word' } });
    const asked = await ask();
    expect(asked.response.status).toBe(418);
    expect(asked.text).toContain('the last word');
    expect(asked.record).toMatchObject({ outcome: 'provider-error', status: 418 });
    expect(asked.record.attempts).toHaveLength(4);
    deepseek.behaviour = hangs;
    await restart();
    const silent = await ask('hasty');
    expect(silent.response.status).toBe(504);
    expect(JSON.parse(silent.text)).toMatchObject({ error: { message: 'The provider gave no answer in time.', code: 'timeout' } });
    expect(silent.record.attempts.map(({ reason }) => reason)).toEqual(['server-error', 'server-error', 'server-error', 'timeout']);
    const metrics = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
    expect(metrics).toContain('llm_proxy_fallback_exhausted_total{tier="simple",reason="timeout"} 1');
    expect(metrics).toContain('llm_proxy_fallback_total{from="gpt-4.1-nano",to="gpt-4.1-mini",reason="server-error"} 1');
  });

  it.each<readonly [string, Behaviour, number]>([
    ['400 of its own making', status(400, { error: { message: 'bad temperature', code: 'invalid_value' } }), 400],
    ['422', status(422), 422],
    ['401: its own key is refused', status(401), 401],
  ])('lets the app have its %s', async (_what, behaviour, code) => {
    openai.behaviour = behaviour;
    const asked = await ask();
    expect(asked.response.status).toBe(code);
    expect(openai.got).toHaveLength(1);
    expect(mistral.got).toHaveLength(0);
    // One app's errors must not affect other apps.
    openai.behaviour = well;
    expect(served(await ask())).toEqual([200, 'gpt-4.1-nano', '1']);
  });

  it('takes a target whose gateway key is refused out', async () => {
    openai.behaviour = status(500);
    mistral.behaviour = status(401);
    const asked = await ask();
    expect(ends(asked)).toEqual([
      ['gpt-4.1-nano', 'server-error'],
      ['gpt-4.1-mini', 'server-error'],
      ['mistral-large-latest', 'key-dead'],
      ['deepseek-chat', null],
    ]);
    const again = await ask();
    expect(again.record.attempts.map(({ target }) => target.model)).not.toContain('mistral-large-latest');
    const metrics = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
    // A key is the same for all of its provider's models.
    expect(metrics).toContain('llm_proxy_target_cooling{provider="mistral",model="*"} 1');
  });

  it('rests a target for as long as the body asks for, where no header does', async () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.3s' }];
    openai.behaviour = nanoFails(status(429, { error: { code: 429, message: 'x', status: 'RESOURCE_EXHAUSTED', details } }));
    expect(served(await ask())).toEqual([200, 'gpt-4.1-mini', '2']);
    openai.behaviour = well;
    // Without it, a target rests for ten seconds.
    await expect.poll(async () => served(await ask())[1], { timeout: 8_000, interval: 100 }).toBe('gpt-4.1-nano');
  });

  it('rests a target for as long as its provider asks for, and skips it meanwhile', async () => {
    openai.behaviour = nanoFails(status(429, { error: {} }, { 'retry-after': '60' }));
    expect(served(await ask())).toEqual([200, 'gpt-4.1-mini', '2']);
    const asked = await ask();
    expect(served(asked)).toEqual([200, 'gpt-4.1-mini', '1']);
    expect(asked.record.decision).toMatchObject({ reason: 'cooling-down', served: { model: 'gpt-4.1-mini' } });
  });

  it('watches for what its section names, and for nothing else', async () => {
    openai.behaviour = status(500);
    expect((await ask('narrow')).response.status).toBe(500);
    expect((await ask('plain')).response.status).toBe(500);
    expect(mistral.got).toHaveLength(0);
    openai.behaviour = status(429);
    expect(served(await ask('narrow'))).toEqual([200, 'mistral-large-latest', '2']);
  });

  it.each<readonly [string, Behaviour, object, string]>([
    ['an empty answer', says(chat({ content: '' })), {}, 'empty'],
    ['a refusal', says(chat({ content: null, refusal: 'No.' })), {}, 'refusal'],
    ['a filtered answer', says(chat({ content: '' }, 'content_filter')), {}, 'content-filter'],
    ['an answer cut off', says(chat({ content: 'Once' }, 'length')), {}, 'length'],
    ['text in place of JSON', says(chat({ content: 'Sure! {"a":1}' })), { response_format: { type: 'json_object' } }, 'invalid-json'],
    [
      'JSON of another shape',
      says(chat({ content: '{"a":1}' })),
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'x', schema: { type: 'object', properties: { answer: { type: 'string' } }, required: ['answer'] } },
        },
      },
      'invalid-json',
    ],
    [
      'a broken tool call',
      says(chat({ content: null, tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{"a":' } }] }, 'tool_calls')),
      {},
      'bad-tool-call',
    ],
  ])('looks into answers where it is told to: %s', async (_what, behaviour, extra, reason) => {
    openai.behaviour = nanoFails(behaviour);
    const asked = await ask('strict', extra);
    expect(served(asked)).toEqual([200, 'gpt-4.1-mini', '2']);
    expect(ends(asked)).toEqual([
      ['gpt-4.1-nano', reason],
      ['gpt-4.1-mini', null],
    ]);
    // gpt-4.1-nano: $0.10 and $0.40 a million; its answer was thrown away and paid for.
    expect(asked.record.attempts[0]?.cost).toEqual({ known: true, usd: expect.closeTo((10 * 0.1 + 5 * 0.4) / 1e6, 12) as number });
    const { usage, cost } = asked.record;
    expect(cost).toEqual({
      known: true,
      usd: expect.closeTo(
        (10 * 0.1 + 5 * 0.4 + usage!.input * 0.4 + usage!.cachedRead * 0.1 + usage!.totalOutput * 1.6) / 1e6,
        12,
      ) as number,
    });
    // The same answer is good enough for a section that does not look.
    expect(served(await ask('narrow', extra))).toEqual([200, 'gpt-4.1-nano', '1']);
  });

  it('asks for a larger window when the prompt was too long, and gives up where there is none', async () => {
    openai.behaviour = nanoFails(status(400, tooLong));
    // gpt-4.1-mini's window is no larger than gpt-4.1-nano's.
    const asked = await ask('strict');
    expect(asked.response.status).toBe(400);
    expect(openai.got).toHaveLength(1);
  });

  it('turns away from a stream that begins with an error, and leaves one alone that began well', async () => {
    const broken = 'data: {"error":{"message":"overloaded","type":"overloaded_error"}}\n\n';
    openai.behaviour = nanoFails(events([broken]));
    const asked = await ask('strict', { stream: true });
    expect(served(asked)).toEqual([200, 'gpt-4.1-mini', '2']);
    expect(ends(asked)).toEqual([
      ['gpt-4.1-nano', 'stream-error'],
      ['gpt-4.1-mini', null],
    ]);
    expect(asked.text).not.toContain('overloaded');
    expect(asked.text.trimEnd().endsWith('data: [DONE]')).toBe(true);
    openai.behaviour = nanoFails(events(['data: {"choices":[{"delta":{"content":"Once"}}]}\n\n', broken], true));
    const cut = await ask('strict', { stream: true });
    expect(served(cut)).toEqual([200, 'gpt-4.1-nano', '1']);
    expect(openai.got.filter(({ model }) => model === 'gpt-4.1-mini')).toHaveLength(1);
    expect(cut.record.outcome).toBe('provider-error');
  });

  it('is what the official SDK sees as one call', async () => {
    openai.behaviour = nanoFails(status(503));
    const client = new OpenAI({ apiKey: 'sk-app', baseURL: `${stack.url}/v1`, maxRetries: 0 });
    const { data, response } = await client.chat.completions
      .create({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is DNS?' }] })
      .withResponse();
    expect(data.model).toBe('gpt-4.1-mini');
    expect(response.headers.get('x-sluice-attempts')).toBe('2');
    const stream = await client.chat.completions.create({
      model: 'gpt-4.1',
      stream: true,
      messages: [{ role: 'user', content: 'What is DNS?' }],
    });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toContain('simulator');
  });
});
