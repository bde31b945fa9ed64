import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { events, ScriptedProvider, status, well, type Behaviour } from './support/scripted-provider.ts';

const modes = ['observe', 'collect', 'protocol-manager'] as const;
type Mode = (typeof modes)[number];

/** Answers that must be looked at as they come, beside those where only the end counts. */
const policy = `
version: 1
defaults:
  mode: shadow
sections:
  - { name: cached, match: { workspace: [cached] }, mode: enabled, cache: { ttl: 3600 } }
`;

const provider = new ScriptedProvider();
const stacks = new Map<Mode, Stack>();

beforeAll(async () => {
  const endpoint = await provider.listen();
  await Promise.all(
    modes.map(async (usage) => {
      const stack = new Stack({ policy, endpoint, usage });
      await stack.start();
      stacks.set(usage, stack);
    }),
  );
});

afterAll(async () => {
  await Promise.all([...stacks.values()].map((stack) => stack.stop()));
  await provider.close();
});

/** The one record that a call leaves. */
async function recordOf(stack: Stack, call: (url: string) => Promise<unknown>): Promise<ExchangeRecord> {
  const before = await newest(stack);
  await call(stack.url);
  for (let tries = 0; tries < 200; tries++) {
    const record = await newest(stack);
    if (record !== undefined && record.id !== before?.id) return record;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('no record');
}

async function newest(stack: Stack): Promise<ExchangeRecord | undefined> {
  const { decisions } = (await fetch(`${stack.adminUrl}/decisions?limit=1`).then((response) => response.json())) as {
    decisions: ExchangeRecord[];
  };
  return decisions[0];
}

/** The same call in each mode, one after the other. */
async function inEach(call: (url: string) => Promise<unknown>): Promise<Record<Mode, ExchangeRecord>> {
  const records: [Mode, ExchangeRecord][] = [];
  for (const [mode, stack] of stacks) records.push([mode, await recordOf(stack, call)]);
  return Object.fromEntries(records) as Record<Mode, ExchangeRecord>;
}

/** What a record says of its answer, times aside. */
function told({
  outcome,
  status: code,
  finishReason,
  errorType,
  answeredModel,
  usage,
  usageUnknown,
  cost,
  timing,
}: ExchangeRecord): object {
  return {
    outcome,
    status: code,
    finishReason,
    errorType,
    answeredModel,
    usage,
    usageUnknown,
    cost,
    firstToken: timing.firstTokenMs !== null,
  };
}

/** The same without what the protocol manager does not know. */
function counted({ outcome, status: code, answeredModel, usage, usageUnknown, cost }: ExchangeRecord): object {
  return { outcome, status: code, answeredModel, usage: usage === null ? null : { ...usage, raw: '' }, usageUnknown, cost };
}

async function post(url: string, path: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test', ...headers },
    body: JSON.stringify(body),
  });
  await response.text().catch(() => '');
}

const ask = { model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] };
const askStream = { ...ask, stream: true, stream_options: { include_usage: true } };
const openai = (url: string): OpenAI => new OpenAI({ apiKey: 'sk-test', baseURL: `${url}/v1`, maxRetries: 0 });
const anthropic = (url: string): Anthropic => new Anthropic({ apiKey: 'test', baseURL: url, maxRetries: 0 });
const google = (url: string): GoogleGenAI => new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: url } });

async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const event of stream) expect(event).toBeTypeOf('object');
}

const long = 'Tell me about networks. '.repeat(400);

/** Calls of the official SDKs. */
const calls: readonly (readonly [string, (url: string) => Promise<unknown>])[] = [
  ['OpenAI chat', (url) => openai(url).chat.completions.create({ model: 'gpt-5.1', messages: [{ role: 'user', content: long }] })],
  [
    'OpenAI chat, streamed',
    async (url) =>
      drained(
        await openai(url).chat.completions.create({
          model: 'gpt-5.1',
          stream: true,
          stream_options: { include_usage: true },
          messages: [{ role: 'user', content: long }],
        }),
      ),
  ],
  ['OpenAI Responses', (url) => openai(url).responses.create({ model: 'gpt-5.1', input: long })],
  [
    'OpenAI Responses, streamed',
    async (url) => drained(await openai(url).responses.create({ model: 'gpt-5.1', input: long, stream: true })),
  ],
  ['OpenAI embeddings', (url) => openai(url).embeddings.create({ model: 'text-embedding-3-small', input: 'hello' })],
  [
    'Anthropic',
    (url) =>
      anthropic(url).messages.create({
        model: 'claude-sonnet-4-6',
        max_tokens: 100,
        system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
        messages: [{ role: 'user', content: long }],
      }),
  ],
  [
    'Anthropic, streamed',
    async (url) =>
      drained(
        await anthropic(url).messages.create({
          model: 'claude-sonnet-4-6',
          max_tokens: 100,
          stream: true,
          system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
          messages: [{ role: 'user', content: long }],
        }),
      ),
  ],
  ['Gemini', (url) => google(url).models.generateContent({ model: 'gemini-2.5-pro', contents: long })],
  ['Gemini, streamed', async (url) => drained(await google(url).models.generateContentStream({ model: 'gemini-2.5-pro', contents: long }))],
];

describe('answers told in three ways', () => {
  it.each(calls)('cost the same: %s', async (_name, call) => {
    provider.behaviour = well;
    const { observe, collect, 'protocol-manager': manager } = await inEach(call);
    expect(observe).toMatchObject({ outcome: 'complete', cost: { known: true } });
    expect(told(collect)).toEqual(told(observe));
    expect(counted(manager)).toEqual(counted(observe));
  });

  const chunk = (content: string, more: object = {}): string =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'gpt-5.1', choices: [{ index: 0, delta: { content }, finish_reason: null }], ...more })}\n\n`;
  const usage = {
    prompt_tokens: 1000,
    completion_tokens: 70,
    total_tokens: 1070,
    prompt_tokens_details: { cached_tokens: 512 },
    completion_tokens_details: { reasoning_tokens: 64 },
  };
  const last = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'gpt-5.1', choices: [{ index: 0, delta: {}, finish_reason: 'length' }] })}\n\ndata: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'gpt-5.1', choices: [], usage })}\n\ndata: [DONE]\n\n`;
  const bytes =
    (body: Buffer, headers: Readonly<Record<string, string>>): Behaviour =>
    (_got, response) => {
      response.writeHead(200, headers);
      response.end(body);
    };
  const answer = (content: string): object => ({
    id: 'c',
    object: 'chat.completion',
    model: 'gpt-5.1',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage,
  });
  const completed = {
    type: 'response.completed',
    response: {
      id: 'r',
      object: 'response',
      status: 'completed',
      model: 'gpt-5.1',
      instructions: 'é'.repeat(120_000),
      output: [],
      usage: {
        input_tokens: 900,
        input_tokens_details: { cached_tokens: 512 },
        output_tokens: 80,
        output_tokens_details: { reasoning_tokens: 64 },
        total_tokens: 980,
      },
    },
  };

  it.each<readonly [string, Behaviour, string, object]>([
    [
      'a stream too long to be collected whole, in pieces that cut characters',
      events(
        [chunk('Grüße'), ...Array.from({ length: 60 }, (_, index) => chunk(`${index} ${'世界 🌍'.repeat(60)}`)), last].flatMap((event) => [
          Buffer.from(event).subarray(0, 101),
          Buffer.from(event).subarray(101),
        ]),
      ),
      '/v1/chat/completions',
      askStream,
    ],
    [
      'a last event that repeats the whole answer',
      events([
        `event: response.created\ndata: {"type":"response.created","response":{"id":"r","model":"gpt-5.1"}}\n\n`,
        ...Array.from(
          { length: 40 },
          () => `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"hello"}\n\n`,
        ),
        `event: response.completed\ndata: ${JSON.stringify(completed)}\n\n`,
      ]),
      '/v1/responses',
      { model: 'gpt-5.1', input: 'hi', stream: true },
    ],
    ['a whole answer of megabytes', status(200, answer('é'.repeat(2_500_000))), '/v1/chat/completions', ask],
    [
      'one that is compressed unasked',
      bytes(gzipSync(JSON.stringify(answer('hello'))), { 'content-type': 'application/json', 'content-encoding': 'gzip' }),
      '/v1/chat/completions',
      ask,
    ],
    [
      'bytes that are no UTF-8',
      bytes(Buffer.from(JSON.stringify(answer('Gr\u00fc\u00dfe')), 'latin1'), { 'content-type': 'application/json' }),
      '/v1/chat/completions',
      ask,
    ],
    [
      'an error of the provider',
      status(429, { error: { message: 'Slow down.', type: 'requests', code: 'rate_limit_exceeded' } }),
      '/v1/chat/completions',
      ask,
    ],
    [
      'an error inside a stream',
      events([chunk('Hel'), 'data: {"error":{"message":"The machine caught fire.","type":"server_error"}}\n\n']),
      '/v1/chat/completions',
      askStream,
    ],
    [
      'a stream that was not asked for its usage',
      events([chunk('Hello'), 'data: [DONE]\n\n']),
      '/v1/chat/completions',
      { ...ask, stream: true },
    ],
    ['a stream that its provider cuts', events([chunk('Hel'), chunk('lo')], true), '/v1/chat/completions', askStream],
    ['a stream that ends without its end', events([chunk('Hel'), chunk('lo')]), '/v1/chat/completions', askStream],
    ['an empty answer', bytes(Buffer.alloc(0), { 'content-type': 'application/json' }), '/v1/chat/completions', ask],
    ['a call that is only watched', status(200, { object: 'list', data: [] }), '/v1/files', { purpose: 'x' }],
  ])('a collected answer says what copies of it say: %s', async (_name, behaviour, path, body) => {
    provider.behaviour = behaviour;
    const { observe, collect } = await inEach((url) => post(url, path, body));
    expect(told(collect)).toEqual(told(observe));
  });

  it('estimates what went by of a stream whose client left before its end', async () => {
    const words = Array.from({ length: 300 }, (_, index) => ` word${index % 10}, yes`);
    const sent = async (content: string): Promise<Record<Mode, ExchangeRecord>> =>
      inEach(async (url) => {
        const gone = new AbortController();
        const response = await fetch(`${url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ ...askStream, messages: [{ role: 'user', content }] }),
          signal: gone.signal,
        });
        let text = '';
        for await (const piece of response.body!) {
          text += Buffer.from(piece).toString();
          if (text.split('delta').length > words.length) break;
        }
        gone.abort();
      });
    provider.behaviour = async (_got, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const word of words) response.write(chunk(word));
      // Until the client leaves.
      await once(response, 'close');
    };
    const records = await sent('Say many words.');
    for (const mode of modes) {
      const { cost, seen, usage: unknown } = records[mode];
      expect([unknown, cost.known, mode]).toEqual([null, false, mode]);
      // Five tokens a word, as the tokenizer has it; the protocol manager knows bytes only.
      const [least, most] = mode === 'protocol-manager' ? [200, 3_000] : [1_100, 1_900];
      expect(seen?.output, mode).toBeGreaterThan(least);
      expect(seen?.output, mode).toBeLessThan(most);
      expect(seen?.input, mode).toBeGreaterThan(5);
      // gpt-5.1: 10 dollars a million output tokens.
      expect(cost.known ? 0 : cost.atLeastUsd, mode).toBeGreaterThanOrEqual((seen!.output * 10) / 1e6);
    }
  });

  it('knows when a client left, and that it had all when it left after the last event', async () => {
    const open: Behaviour = async (_got, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chunk('Hello'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (_got.body.includes('to the end')) response.write(last);
    };
    provider.behaviour = open;
    const leave =
      (content: string, after: string) =>
      async (url: string): Promise<void> => {
        const gone = new AbortController();
        const response = await fetch(`${url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ ...askStream, messages: [{ role: 'user', content }] }),
          signal: gone.signal,
        });
        let text = '';
        for await (const piece of response.body!) {
          text += Buffer.from(piece).toString();
          if (text.includes(after)) break;
        }
        gone.abort();
      };
    const early = await inEach(leave('leave early', 'Hello'));
    // Copies end the same way whichever side ended the response; the access log shows which side it was.
    expect(early.observe.outcome).toMatch(/^(cut|client-gone)$/);
    expect(told(early.collect)).toEqual({ ...told(early.observe), outcome: 'client-gone' });
    expect(early['protocol-manager']).toMatchObject({ outcome: 'client-gone', usage: null, usageUnknown: 'cut' });
    const late = await inEach(leave('stay to the end', '[DONE]'));
    expect(late.observe).toMatchObject({ outcome: 'complete', cost: { known: true } });
    expect(told(late.collect)).toEqual(told(late.observe));
  });
});

describe('calls that are only observed', () => {
  const form = (model: string): FormData => {
    const data = new FormData();
    data.append('file', new Blob(['RIFF']), 'a.wav');
    data.append('model', model);
    return data;
  };
  const json = (body: object): { readonly body: string; readonly headers: Record<string, string> } => ({
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  const image = { created: 1, data: [{ b64_json: 'x'.repeat(50_000) }] };
  const imageUsage = {
    input_tokens: 10,
    output_tokens: 4_160,
    total_tokens: 4_170,
    input_tokens_details: { text_tokens: 10, image_tokens: 0 },
  };

  it.each<readonly [string, string, object, unknown, object]>([
    [
      'an image',
      '/v1/images/generations',
      json({ model: 'gpt-image-1', prompt: 'x' }),
      { ...image, usage: imageUsage },
      { requestedModel: 'gpt-image-1', call: { about: 'images' }, cost: { known: true, usd: 0.16645 } },
    ],
    [
      'a transcription by tokens',
      '/v1/audio/transcriptions',
      { body: form('gpt-4o-transcribe') },
      {
        text: 'x',
        usage: {
          type: 'tokens',
          input_tokens: 1_000,
          output_tokens: 100,
          total_tokens: 1_100,
          input_token_details: { text_tokens: 10, audio_tokens: 990 },
        },
      },
      { requestedModel: 'gpt-4o-transcribe', usage: { audioInput: 990 }, cost: { known: true, usd: 0.0035 } },
    ],
    [
      'a transcription by its length',
      '/v1/audio/transcriptions',
      { body: form('whisper-1') },
      { text: 'x', usage: { type: 'duration', seconds: 30 } },
      { requestedModel: 'whisper-1', cost: { known: true, usd: 0.003 } },
    ],
    [
      'a moderation of the default model',
      '/v1/moderations',
      json({ input: 'x' }),
      { id: 'modr-1', model: 'omni-moderation-latest', results: [{ flagged: false }] },
      { servedModel: 'omni-moderation-latest', cost: { known: true, usd: 0 } },
    ],
    [
      'a rerank',
      '/v1/rerank',
      json({ model: 'rerank-2.5', query: 'x', documents: ['a'] }),
      { object: 'list', data: [{ relevance_score: 0.4, index: 0 }], model: 'rerank-2.5', usage: { total_tokens: 26 } },
      { requestedModel: 'rerank-2.5', call: { about: 'rerank' }, usage: { input: 26 }, cost: { known: false, reason: 'model' } },
    ],
    [
      'a batch, which has used nothing yet',
      '/v1/batches',
      json({ input_file_id: 'file-1', endpoint: '/v1/responses', completion_window: '24h' }),
      { id: 'batch_1', object: 'batch', model: 'gpt-5', usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 } },
      { call: { about: 'batches' }, usage: null, cost: { known: false } },
    ],
  ])('%s', async (_what, path, request, answer, wanted) => {
    provider.behaviour = (_got, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    };
    const send = (url: string): Promise<unknown> => fetch(url + path, { method: 'POST', ...request }).then((response) => response.text());
    for (const record of Object.values(await inEach(send)))
      expect(record).toMatchObject({ kind: 'observed', outcome: 'complete', ...wanted });
    provider.behaviour = well;
  });

  it('a picture and a speech that come as streams', async () => {
    const streamOf = (...list: readonly object[]): Behaviour => events(list.map((event) => `data: ${JSON.stringify(event)}\n\n`));
    const send =
      (path: string, model: string) =>
      (url: string): Promise<unknown> =>
        fetch(url + path, { method: 'POST', ...json({ model, input: 'x', stream: true }) }).then((response) => response.text());
    provider.behaviour = streamOf(
      { type: 'image_generation.partial_image', b64_json: 'x' },
      { type: 'image_generation.completed', b64_json: 'y', usage: imageUsage },
    );
    for (const record of Object.values(await inEach(send('/v1/images/generations', 'gpt-image-1'))))
      expect(record.cost).toEqual({ known: true, usd: 0.16645 });
    provider.behaviour = streamOf(
      { type: 'speech.audio.delta', audio: 'x' },
      { type: 'speech.audio.done', usage: { input_tokens: 10, output_tokens: 100, total_tokens: 110 } },
    );
    for (const record of Object.values(await inEach(send('/v1/audio/speech', 'gpt-4o-mini-tts')))) {
      expect(record.usage).toMatchObject({ input: 10, audioOutput: 100 });
      expect(record.cost).toEqual({ known: true, usd: 0.001206 });
    }
    provider.behaviour = well;
  });
});
