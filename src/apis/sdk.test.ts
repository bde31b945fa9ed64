import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import type { GenerateContentResponse } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApiName } from './names.ts';
import { Crossing } from './testing/crossing.ts';
import { about, answerOf, bigArgs, counted, isRecorded, messages, words, targetApis } from './testing/fixtures.ts';
import type { Scenario } from './testing/fixtures.ts';

const said = words.join('');

/** What an app gets to see of an answer through its SDK, in terms of no API. */
interface Seen {
  readonly text: string;
  readonly calls: readonly { readonly name: string; readonly args: string }[];
  readonly finish: string;
  readonly input: number | null;
  readonly cached: number | null;
  readonly output: number | null;
}

interface Caller {
  readonly ask: (base: string, stream: boolean) => Promise<Seen>;
  /** The caller's own word for how an answer ended. */
  readonly finishes: Readonly<Record<'text' | 'calls' | 'length' | 'filter', string>>;
}

const schema = { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] } as const;

const openaiChat: Caller = {
  finishes: { text: 'stop', calls: 'tool_calls', length: 'length', filter: 'content_filter' },
  ask: async (base, stream) => {
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none', maxRetries: 0 });
    const request = {
      model: 'gpt-4.1',
      messages: [{ role: 'user' as const, content: 'Hello' }],
      tools: [{ type: 'function' as const, function: { name: 'look_up', parameters: schema } }],
    };
    const completion = stream
      ? await client.chat.completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion()
      : await client.chat.completions.create(request);
    const choice = completion.choices[0]!;
    return {
      text: choice.message.content ?? '',
      calls: (choice.message.tool_calls ?? []).flatMap((call) =>
        call.type === 'function' ? [{ name: call.function.name, args: call.function.arguments }] : [],
      ),
      finish: choice.finish_reason,
      input: completion.usage?.prompt_tokens ?? null,
      cached: completion.usage?.prompt_tokens_details?.cached_tokens ?? null,
      output: completion.usage?.completion_tokens ?? null,
    };
  },
};

const anthropicMessages: Caller = {
  finishes: { text: 'end_turn', calls: 'tool_use', length: 'max_tokens', filter: 'refusal' },
  ask: async (base, stream) => {
    const client = new Anthropic({ baseURL: base, apiKey: 'none', maxRetries: 0 });
    const request = {
      model: 'claude-sonnet-5-5',
      max_tokens: 200,
      messages: [{ role: 'user' as const, content: 'Hello' }],
      tools: [{ name: 'look_up', input_schema: { ...schema, required: ['id'] } }],
    };
    const message = stream ? await client.messages.stream(request).finalMessage() : await client.messages.create(request);
    return {
      text: message.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join(''),
      calls: message.content.flatMap((block) =>
        block.type === 'tool_use' ? [{ name: block.name, args: JSON.stringify(block.input) }] : [],
      ),
      finish: message.stop_reason ?? '',
      input: message.usage.input_tokens + (message.usage.cache_read_input_tokens ?? 0) + (message.usage.cache_creation_input_tokens ?? 0),
      cached: message.usage.cache_read_input_tokens,
      output: message.usage.output_tokens,
    };
  },
};

const gemini: Caller = {
  finishes: { text: 'STOP', calls: 'STOP', length: 'MAX_TOKENS', filter: 'SAFETY' },
  ask: async (base, stream) => {
    const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: base } });
    const request = {
      model: 'gemini-2.5-flash',
      contents: 'Hello',
      config: { tools: [{ functionDeclarations: [{ name: 'look_up', parametersJsonSchema: schema }] }] },
    };
    const chunks: GenerateContentResponse[] = [];
    if (stream) for await (const chunk of await client.models.generateContentStream(request)) chunks.push(chunk);
    else chunks.push(await client.models.generateContent(request));
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
    const last = chunks.at(-1);
    return {
      text: parts.map((part) => part.text ?? '').join(''),
      calls: parts.flatMap((part) =>
        part.functionCall === undefined ? [] : [{ name: part.functionCall.name ?? '', args: JSON.stringify(part.functionCall.args) }],
      ),
      finish: last?.candidates?.[0]?.finishReason ?? '',
      input: last?.usageMetadata?.promptTokenCount ?? null,
      cached: last?.usageMetadata?.cachedContentTokenCount ?? null,
      output: (last?.usageMetadata?.candidatesTokenCount ?? 0) + (last?.usageMetadata?.thoughtsTokenCount ?? 0),
    };
  },
};

const openaiResponses: Caller = {
  finishes: { text: 'completed', calls: 'completed', length: 'max_output_tokens', filter: 'content_filter' },
  ask: async (base, stream) => {
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'none', maxRetries: 0 });
    const request = {
      model: 'gpt-5.1',
      input: 'Hello',
      tools: [{ type: 'function' as const, name: 'look_up', parameters: schema, strict: false }],
    };
    const response = stream ? await client.responses.stream(request).finalResponse() : await client.responses.create(request);
    return {
      text: response.output_text,
      calls: response.output.flatMap((item) => (item.type === 'function_call' ? [{ name: item.name, args: item.arguments }] : [])),
      finish: response.incomplete_details?.reason ?? response.status ?? '',
      input: response.usage?.input_tokens ?? null,
      cached: response.usage?.input_tokens_details.cached_tokens ?? null,
      output: response.usage?.output_tokens ?? null,
    };
  },
};

const callers = {
  'openai-chat': openaiChat,
  'anthropic-messages': anthropicMessages,
  'gemini-generate': gemini,
  'openai-responses': openaiResponses,
};
/** Models in place of the usual ones. */
const models: Partial<Record<ApiName, string>> = { 'anthropic-messages': 'claude-sonnet-4-5', 'gemini-generate': 'gemini-2.5-flash' };
const modelOf = (api: ApiName): string => models[api] ?? about(api).model;

const pairs = Object.keys(callers).flatMap((from) =>
  targetApis.flatMap((to) => (from === to ? [] : [[from as keyof typeof callers, to] as const])),
);
const ways = pairs.flatMap(([from, to]) => [false, true].map((stream) => ({ from, to, stream, how: stream ? 'streamed' : 'whole' })));

describe.each(ways)('the SDK of $from, answered by $to, $how', ({ from, to, stream }) => {
  const caller = callers[from];
  const crossing = new Crossing({ to, model: modelOf(to), answer: () => answerOf(to, 'text', stream) });
  let base = '';
  const scenario = (name: Scenario): void => {
    crossing.options = { ...crossing.options, answer: (streams) => answerOf(to, name, streams) };
  };

  beforeAll(async () => {
    base = await crossing.listen();
  });
  afterAll(async () => {
    await crossing.close();
  });
  beforeEach(() => {
    crossing.options = { to, model: modelOf(to), answer: () => answerOf(to, 'text', stream) };
  });

  it('gives the words, the end and the counts', async () => {
    const seen = await caller.ask(base, stream);
    const cached = about(to).countsCached === false ? seen.cached : counted.cached;
    expect(seen).toEqual({ text: said, calls: [], finish: caller.finishes.text, ...counted, cached });
    expect(crossing.lastApi).toBe(from);
  });

  it('gives parallel calls with their arguments', async () => {
    scenario('calls');
    const seen = await caller.ask(base, stream);
    expect(seen.calls.map((call) => call.name)).toEqual(['look_up', 'no_arguments']);
    // The SDKs that parse the arguments lose the big number themselves; what they were sent is tested byte by byte elsewhere.
    expect(JSON.parse(seen.calls[0]!.args)).toEqual(JSON.parse(bigArgs));
    if (from === 'openai-chat' || from === 'openai-responses') expect(seen.calls[0]!.args).toBe(bigArgs);
    expect(JSON.parse(seen.calls[1]!.args)).toEqual({});
    expect(seen.finish).toBe(caller.finishes.calls);
    expect(seen.text).toBe(said);
  });

  it.each((['length', 'filter'] as const).filter((name) => isRecorded(to, name)))('says why an answer ended: %s', async (name) => {
    scenario(name);
    expect((await caller.ask(base, stream)).finish).toBe(caller.finishes[name]);
  });

  it.each(['rate-limit', 'overloaded', 'too-long'] as const)("raises the SDK's own error: %s", async (name) => {
    scenario(name);
    const error: unknown = await caller.ask(base, stream).catch((thrown: unknown) => thrown);
    const status = { 'rate-limit': 429, overloaded: from === 'anthropic-messages' ? 529 : 503, 'too-long': 400 }[name];
    expect(error).toBeInstanceOf(Error);
    expect((error as { status?: number }).status).toBe(status);
    expect((error as Error).message).toContain(messages[name] ?? '00000');
    if (name === 'too-long' && from === 'openai-chat') expect((error as { code?: string }).code).toBe('context_length_exceeded');
  });

  if (!stream) return;

  it.each([1, 2, 3, 7, 64])('takes the stream in pieces of %i bytes', async (pieceBytes) => {
    for (const name of ['text', 'calls'] as const) {
      crossing.options = { to, model: modelOf(to), answer: () => answerOf(to, name, true) };
      const whole = await caller.ask(base, true);
      crossing.options = { ...crossing.options, pieceBytes };
      expect(await caller.ask(base, true)).toEqual(whole);
    }
  });

  it('raises an error for a stream that is cut, and for an error inside it', async () => {
    const { body } = answerOf(to, 'text', true);
    crossing.options = { ...crossing.options, cutAfter: Buffer.byteLength(body) >> 1 };
    await expect(caller.ask(base, true)).rejects.toThrow('cut');
    scenario('error-inside');
    crossing.options = { ...crossing.options, cutAfter: 1_000_000 };
    await expect(caller.ask(base, true)).rejects.toThrow(messages['error-inside']);
  });
});
