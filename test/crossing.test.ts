import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import type { ExchangeRecord } from '../src/record/types.ts';
import { allWell, events, resets, says, ScriptedProvider, status, type Behaviour } from './support/scripted-provider.ts';
import { recordOf as recordAt } from './support/record.ts';

/** One app a dialect, whose own provider is down; the chain's target is the workspace's name. */
const families = ['openai', 'anthropic', 'google'] as const;
type Family = (typeof families)[number];
const models: Readonly<Record<Family, { readonly asked: string; readonly small: string; readonly key: string }>> = {
  openai: { asked: 'gpt-4.1', small: 'gpt-4.1-nano', key: 'authorization' },
  anthropic: { asked: 'claude-sonnet-4-6', small: 'claude-haiku-4-5', key: 'x-api-key' },
  google: { asked: 'gemini-2.5-pro', small: 'gemini-2.5-flash-lite', key: 'x-goog-api-key' },
};

const keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
const providers = { openai: new ScriptedProvider(), anthropic: new ScriptedProvider(), google: new ScriptedProvider() };
/** Speaks OpenAI's chat API, and has no Responses API. */
const mistral = new ScriptedProvider();
let stack: Stack;

beforeAll(async () => {
  const lines: string[] = [];
  for (const name of families) {
    writeFileSync(join(keys, name), `key-of-${name}`);
    lines.push(`  ${name}: { endpoint: "${await providers[name].listen()}", credentialFile: "${join(keys, name)}" }`);
  }
  writeFileSync(join(keys, 'mistral'), 'key-of-mistral');
  lines.push(`  mistral: { endpoint: "${await mistral.listen()}", credentialFile: "${join(keys, 'mistral')}" }`);
  const sections = families.map(
    (name) =>
      `  - { name: to-${name}, match: { workspace: [${name}] }, fallback: { tiers: { simple: [${name}/${models[name].small}] }, on: [server-error, rate-limit, empty, stream-error], drop: [neutral, seed] } }`,
  );
  sections.push(
    '  - { name: to-mistral, match: { workspace: [mistral] }, fallback: { tiers: { simple: [mistral/mistral-large-latest] } } }',
  );
  const policy = `
version: 1
providers:
${lines.join('\n')}
defaults:
  allowProviders: [openai, anthropic, google, mistral]
  candidates: { simple: [openai/gpt-4.1-nano, anthropic/claude-haiku-4-5, google/gemini-2.5-flash-lite], standard: [openai/gpt-4.1-mini, anthropic/claude-haiku-4-5, google/gemini-2.5-flash], complex: [openai/gpt-4.1, anthropic/claude-sonnet-4-6, google/gemini-2.5-pro] }
sections:
${sections.join('\n')}
`;
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all([...families.map((name) => providers[name]), mistral].map((provider) => provider.close()));
  rmSync(keys, { recursive: true, force: true });
});

let testsSinceStart = 0;

/** Restarts Sluice, so that cooldowns and failure counts (ten in a row) do not carry over to the next test. */
async function restart(): Promise<void> {
  testsSinceStart = 0;
  await stack.stopSluice('SIGKILL');
  await stack.startSluice();
}

beforeEach(async () => {
  const metrics = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
  if (metrics.includes('llm_proxy_target_cooling{') || ++testsSinceStart > 2) await restart();
  allWell([...families.map((name) => providers[name]), mistral]);
  askedAt = Date.now();
});

const recordOf = (id: string): Promise<ExchangeRecord> => recordAt(stack.adminUrl, id);

/** When the test began, or when it last asked through one of `apps`: ms. */
let askedAt = 0;

/**
 * The record of what was asked last. An app may have its whole answer before the record of it is there, and the record of an earlier call,
 * even of the test before, may come after it: so neither the newest one nor that none is pending says which it is.
 */
async function lastRecord(): Promise<ExchangeRecord> {
  let found: ExchangeRecord | undefined;
  const look = async (): Promise<boolean> => {
    const response = await fetch(`${stack.adminUrl}/decisions?limit=10`);
    const { decisions } = (await response.json()) as { decisions: ExchangeRecord[] };
    found = decisions.find(({ time }) => Date.parse(time) >= askedAt);
    return found !== undefined;
  };
  await expect.poll(look, { interval: 50 }).toBe(true);
  return found!;
}

/** What an app got from its own SDK: the text, whether it streamed or not, and its token counts. */
interface Got {
  readonly text: string;
  readonly input: number;
  readonly output: number;
}

type Ask = (target: Family, stream: boolean) => Promise<Got>;
const question = 'What is a CDN?';

const asks: Readonly<Record<Family, Ask>> = {
  openai: async (target, stream) => {
    const client = new OpenAI({
      apiKey: 'sk-app',
      baseURL: `${stack.url}/v1`,
      maxRetries: 0,
      defaultHeaders: { 'x-sluice-workspace': target },
    });
    const body = {
      model: models.openai.asked,
      messages: [
        { role: 'system' as const, content: 'Be brief.' },
        { role: 'user' as const, content: question },
      ],
    };
    if (!stream) {
      const answer = await client.chat.completions.create(body);
      return {
        text: answer.choices[0]?.message.content ?? '',
        input: answer.usage?.prompt_tokens ?? -1,
        output: answer.usage?.completion_tokens ?? -1,
      };
    }
    let got: Got = { text: '', input: -1, output: -1 };
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } })) {
      got = {
        text: got.text + (chunk.choices[0]?.delta.content ?? ''),
        input: chunk.usage?.prompt_tokens ?? got.input,
        output: chunk.usage?.completion_tokens ?? got.output,
      };
    }
    return got;
  },
  anthropic: async (target, stream) => {
    const client = new Anthropic({ apiKey: 'sk-app', baseURL: stack.url, maxRetries: 0, defaultHeaders: { 'x-sluice-workspace': target } });
    const body = {
      model: models.anthropic.asked,
      max_tokens: 200,
      system: 'Be brief.',
      messages: [{ role: 'user' as const, content: question }],
    };
    const answer = stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
    const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = answer.usage;
    return {
      text: answer.content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
      input: input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0),
      output: output_tokens,
    };
  },
  google: async (target, stream) => {
    const client = new GoogleGenAI({ apiKey: 'sk-app', httpOptions: { baseUrl: stack.url, headers: { 'x-sluice-workspace': target } } });
    const body = { model: models.google.asked, contents: question, config: { systemInstruction: 'Be brief.' } };
    let got: Got = { text: '', input: -1, output: -1 };
    const chunks = stream ? await client.models.generateContentStream(body) : [await client.models.generateContent(body)];
    for await (const chunk of chunks) {
      const usage = chunk.usageMetadata;
      got = {
        text: got.text + (chunk.text ?? ''),
        input: usage?.promptTokenCount ?? got.input,
        output: usage?.candidatesTokenCount === undefined ? got.output : usage.candidatesTokenCount + (usage.thoughtsTokenCount ?? 0),
      };
    }
    return got;
  },
};

const askNow =
  (family: Family): Ask =>
  (target, stream) => {
    askedAt = Date.now();
    return asks[family](target, stream);
  };
const apps: Readonly<Record<Family, Ask>> = { openai: askNow('openai'), anthropic: askNow('anthropic'), google: askNow('google') };

const answerInEvents = [
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}\n\n',
  'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Once upon"}}\n\n',
  'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
  'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
].join('');
const encoders = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync, deflate: deflateSync };

const pairs = families.flatMap((from) =>
  families.filter((to) => to !== from).flatMap((to) => [false, true].map((stream) => [from, to, stream] as const)),
);

describe('a chain across dialects', () => {
  it.each(pairs)('answers an app of %s from %s (streamed: %s)', async (from, to, stream) => {
    providers[from].behaviour = status(503);
    const got = await apps[from](to, stream);
    expect(got.text).toContain('plausible');
    const record = await lastRecord();
    expect(record).toMatchObject({
      outcome: 'complete',
      requestedModel: models[from].asked,
      servedModel: models[to].small,
      provider: from,
    });
    expect(record.attempts.map(({ target, reason }) => [target.provider, reason])).toEqual([
      [from, 'server-error'],
      [to, null],
    ]);
    // The tokens are those that the target's own provider counted, whatever the app was told in its own terms.
    expect(got).toMatchObject({ input: record.usage!.totalInput, output: record.usage!.totalOutput });
    expect(record.cost.known).toBe(true);
    const request = providers[to].got[0]!;
    expect(request.headers[models[to].key]).toContain(`key-of-${to}`);
    // Nothing of the app's own key or API leaves with it.
    expect(JSON.stringify(request.headers)).not.toContain('sk-app');
    expect(request.headers['anthropic-version'] === undefined).toBe(to !== 'anthropic');
    expect(request.body).toContain('Be brief.');
  });

  it.each((['anthropic', 'google', 'mistral'] as const).flatMap((to) => [false, true].map((stream) => [to, stream] as const)))(
    'answers an app of the Responses API from %s (streamed: %s)',
    async (to, stream) => {
      providers.openai.behaviour = status(503);
      const client = new OpenAI({
        apiKey: 'sk-app',
        baseURL: `${stack.url}/v1`,
        maxRetries: 0,
        defaultHeaders: { 'x-sluice-workspace': to },
      });
      const body = { model: models.openai.asked, instructions: 'Be brief.', input: question, store: false, max_output_tokens: 300 };
      const answer = stream
        ? await client.responses.stream({ ...body, stream: true }).finalResponse()
        : await client.responses.create(body);
      expect(answer.output_text).toContain('plausible');
      expect(answer.status).toBe('completed');
      const record = await lastRecord();
      expect(record).toMatchObject({ api: 'openai-responses', outcome: 'complete', provider: 'openai', cost: { known: true } });
      expect(record.attempts.map(({ target, reason }) => [target.provider, reason])).toEqual([
        ['openai', 'server-error'],
        [to, null],
      ]);
      expect(answer.usage).toMatchObject({ input_tokens: record.usage!.totalInput, output_tokens: record.usage!.totalOutput });
      const request = (to === 'mistral' ? mistral : providers[to]).got[0]!;
      expect(request.path).toMatch(
        to === 'mistral' ? /^\/v1\/chat\/completions$/ : to === 'anthropic' ? /^\/v1\/messages$/ : /enerateContent/,
      );
      expect(JSON.stringify(request.headers)).not.toContain('sk-app');
    },
  );

  it('leaves out a target when the conversation is kept at the app’s own provider', async () => {
    providers.openai.behaviour = status(503);
    const client = new OpenAI({
      apiKey: 'sk-app',
      baseURL: `${stack.url}/v1`,
      maxRetries: 0,
      defaultHeaders: { 'x-sluice-workspace': 'anthropic' },
    });
    await expect(client.responses.create({ model: models.openai.asked, input: question, previous_response_id: 'resp_1' })).rejects.toThrow(
      OpenAI.InternalServerError,
    );
    expect((await lastRecord()).attempts).toHaveLength(1);
    expect(providers.anthropic.got).toEqual([]);
  });

  it('writes an error of the last target as the app’s own API would', async () => {
    const limited: Behaviour = status(
      429,
      { type: 'error', error: { type: 'rate_limit_error', message: 'slow down, please' } },
      { 'retry-after': '3' },
    );
    providers.openai.behaviour = status(500);
    providers.anthropic.behaviour = limited;
    await expect(apps.openai('anthropic', false)).rejects.toThrow(OpenAI.RateLimitError);
    await restart();
    await expect(apps.openai('anthropic', true)).rejects.toThrow(/slow down, please/);
  });

  it('writes the error of a last target that breaks off as the app’s own API would', async () => {
    for (const name of families) providers[name].behaviour = resets;
    await expect(apps.openai('anthropic', false)).rejects.toThrow(/could not be reached/);
    await expect(apps.openai('anthropic', true)).rejects.toThrow(OpenAI.InternalServerError);
    await restart();
    await expect(apps.anthropic('openai', false)).rejects.toThrow(Anthropic.InternalServerError);
    await expect(apps.google('openai', false)).rejects.toThrow(/could not be reached/);
  });

  it.each(['gzip', 'br', 'zstd', 'deflate'] as const)('translates a stream that came in %s', async (encoding) => {
    providers.openai.behaviour = status(500);
    providers.anthropic.behaviour = (_got, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': encoding });
      response.end(encoders[encoding](answerInEvents));
    };
    expect(await apps.openai('anthropic', true)).toEqual({ text: 'Once upon', input: 5, output: 7 });
    expect(await lastRecord()).toMatchObject({ outcome: 'complete', cost: { known: true } });
  });

  it('streams a whole answer to an app that asked for a stream', async () => {
    providers.openai.behaviour = status(500);
    providers.anthropic.behaviour = says({
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'claude-haiku-4-5',
      content: [{ type: 'text', text: 'Once upon' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 5, output_tokens: 7 },
    });
    expect(await apps.openai('anthropic', true)).toEqual({ text: 'Once upon', input: 5, output: 7 });
  });

  it('says that a stream was cut, in the app’s own API', async () => {
    providers.openai.behaviour = status(500);
    providers.anthropic.behaviour = events([
      'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}\n\n',
      'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
      'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Once upon"}}\n\n',
    ]);
    await expect(apps.openai('anthropic', true)).rejects.toThrow(/cut/);
    expect(await lastRecord()).toMatchObject({ usage: null, usageUnknown: 'cut', cost: { known: false } });
  });

  it('translates for a target that is alone because all before it rest', async () => {
    providers.openai.behaviour = status(429, { error: { message: 'slow down' } }, { 'retry-after': '60' });
    expect((await apps.openai('anthropic', false)).text).toContain('plausible');
    for (const stream of [false, true]) {
      expect((await apps.openai('anthropic', stream)).text).toContain('plausible');
      const record = await lastRecord();
      expect(record).toMatchObject({ decision: { reason: 'cooling-down' }, servedModel: models.anthropic.small, cost: { known: true } });
      expect(record.attempts).toHaveLength(1);
    }
    expect(providers.openai.got).toHaveLength(1);
  });

  it('turns away from a stream of another API that begins with an error', async () => {
    providers.anthropic.behaviour = events([
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n',
    ]);
    const got = await apps.anthropic('google', true);
    expect(got.text).toContain('plausible');
    expect((await lastRecord()).attempts.map(({ reason }) => reason)).toEqual(['stream-error', null]);
  });

  it('looks into answers of every API, and pays for those that it throws away', async () => {
    providers.google.behaviour = says({
      candidates: [{ content: { parts: [] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 1_000_000, candidatesTokenCount: 0, totalTokenCount: 1_000_000 },
      modelVersion: 'gemini-2.5-flash-lite',
    });
    expect((await apps.google('openai', false)).text).toContain('plausible');
    const record = await lastRecord();
    // gemini-2.5-flash-lite: $0.10 a million input tokens.
    expect(record.attempts[0]).toMatchObject({ reason: 'empty', cost: { known: true, usd: 0.1 } });
    expect(record.cost.known && record.cost.usd > 0.1).toBe(true);
  });

  it('leaves a target out that has no place for what the request says, and drops what the policy lists', async () => {
    providers.openai.behaviour = status(500);
    const send = (body: object) =>
      fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': 'anthropic' },
        body: JSON.stringify({ model: models.openai.asked, messages: [{ role: 'user', content: question }], ...body }),
      });
    const refused = await send({ logit_bias: { 50256: -100 } });
    expect(refused.status).toBe(500);
    await refused.arrayBuffer();
    const record = await recordOf(refused.headers.get('x-sluice-decision')!);
    expect(record.decision?.candidates.find(({ target }) => target.provider === 'anthropic')?.disqualified).toBe('not-translatable');
    const dropped = await send({ seed: 7 });
    expect(dropped.status).toBe(200);
    await dropped.arrayBuffer();
    expect((await recordOf(dropped.headers.get('x-sluice-decision')!)).attempts[1]?.dropped).toEqual(['seed']);
  });
});
