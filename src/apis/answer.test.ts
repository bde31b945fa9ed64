import { brotliCompressSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../lib/limits.ts';
import { readAnswer } from './answer.ts';
import { apis } from './registry.ts';
import { SseSplitter } from './scan/sse.ts';
import type { Answer, AnswerHead, ApiName } from './types.ts';
import { runs } from '../../test/support/fuzz.ts';

const head = (api: ApiName, more: Partial<AnswerHead> = {}): AnswerHead => ({
  api,
  status: 200,
  contentType: 'application/json',
  contentEncoding: '',
  usageNotAsked: false,
  ...more,
});
const sse = (api: ApiName, more: Partial<AnswerHead> = {}): AnswerHead =>
  head(api, { contentType: 'text/event-stream; charset=utf-8', ...more });

function read(of: AnswerHead, chunks: readonly (string | Buffer)[], whole = true): Answer {
  const reader = readAnswer(of);
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  return reader.end(whole);
}

const data = (...events: object[]): string => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');

const openaiStream =
  data(
    { model: 'gpt-5-nano', choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] },
    { model: 'gpt-5-nano', choices: [{ index: 0, delta: { content: 'Grüße 漢字 👩‍👩‍👧' }, finish_reason: null }] },
    { model: 'gpt-5-nano', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    {
      model: 'gpt-5-nano',
      choices: [],
      usage: {
        prompt_tokens: 100,
        completion_tokens: 50,
        prompt_tokens_details: { cached_tokens: 40 },
        completion_tokens_details: { reasoning_tokens: 30 },
      },
    },
  ) + 'data: [DONE]\n\n';

const anthropicStream = [
  {
    type: 'message_start',
    message: {
      model: 'claude-haiku-4-5',
      usage: {
        input_tokens: 10,
        cache_read_input_tokens: 5,
        cache_creation_input_tokens: 7,
        cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
        output_tokens: 1,
      },
    },
  },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hi' } },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 20 } },
  { type: 'message_stop' },
]
  .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  .join('');

const geminiChunks = [
  {
    candidates: [{ content: { parts: [{ text: 'a' }] } }],
    usageMetadata: { promptTokenCount: 10, totalTokenCount: 10 },
    modelVersion: 'gemini-2.5-flash',
  },
  {
    candidates: [{ content: { parts: [{ text: 'b]}"' }] }, finishReason: 'STOP' }],
    usageMetadata: {
      promptTokenCount: 10,
      cachedContentTokenCount: 4,
      candidatesTokenCount: 6,
      thoughtsTokenCount: 9,
      toolUsePromptTokenCount: 2,
    },
    modelVersion: 'gemini-2.5-flash',
  },
];

describe('usage', () => {
  it('of OpenAI: cached, reasoning and audio are parts of the totals', () => {
    const { usage } = read(head('openai-chat'), [
      JSON.stringify({
        model: 'm',
        choices: [{ finish_reason: 'stop' }],
        usage: {
          prompt_tokens: 100,
          completion_tokens: 60,
          prompt_tokens_details: { cached_tokens: 40, audio_tokens: 10 },
          completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 5 },
        },
      }),
    ]);
    expect(usage).toMatchObject({
      input: 50,
      cachedRead: 40,
      audioInput: 10,
      output: 25,
      reasoning: 30,
      audioOutput: 5,
      totalInput: 100,
      totalOutput: 60,
    });
  });

  it.each<[ApiName, object]>([
    ['openai-chat', { prompt_tokens: null, completion_tokens: null, total_tokens: null }],
    ['openai-responses', { input_tokens: null, output_tokens: null }],
    ['anthropic-messages', { input_tokens: null, output_tokens: 3 }],
  ])('of %s is unknown, not free, where a total is null', (api, usage) => {
    expect(read(head(api), [JSON.stringify({ model: 'm', usage })])).toMatchObject({ usage: null, usageUnknown: 'unreadable' });
  });

  it('of Groq’s streams, which have it in a member of their own', () => {
    const usage = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25, total_time: 0.1 };
    const chunks = data(
      { model: 'm', choices: [{ delta: { content: 'x' } }] },
      { model: 'm', choices: [{ delta: {}, finish_reason: 'stop' }], x_groq: { id: 'r', usage } },
    );
    const answer = read(sse('openai-chat', { usageNotAsked: true }), [chunks]);
    expect(answer.usage).toMatchObject({ totalInput: 20, totalOutput: 5 });
    expect(answer.usage?.beyond).toBeUndefined();
  });

  it('of Anthropic leaves open what was written where a request asked for an hour and the answer does not split it', () => {
    const unclear = apis['anthropic-messages'].answer.unclear!;
    const usageOf = (more: object) =>
      read(head('anthropic-messages'), [
        JSON.stringify({ model: 'm', stop_reason: 'end_turn', usage: { input_tokens: 1, output_tokens: 1, ...more } }),
      ]).usage!;
    expect(unclear.usage(usageOf({ cache_creation_input_tokens: 100 }))).toBe('cache_creation');
    expect(unclear.usage(usageOf({ cache_creation_input_tokens: 0 }))).toBeNull();
    const split = { cache_creation_input_tokens: 100, cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 0 } };
    expect(unclear.usage(usageOf(split))).toBeNull();
  });

  it('of the Responses API and of embeddings', () => {
    expect(
      read(head('openai-responses'), [
        JSON.stringify({
          model: 'm',
          status: 'completed',
          usage: {
            input_tokens: 9,
            input_tokens_details: { cached_tokens: 2, cache_write_tokens: 3 },
            output_tokens: 5,
            output_tokens_details: { reasoning_tokens: 4 },
          },
        }),
      ]).usage,
    ).toMatchObject({ input: 4, cachedRead: 2, cacheWrite5m: 3, output: 1, reasoning: 4 });
    expect(
      read(head('openai-embeddings'), [JSON.stringify({ data: [{ embedding: [0.1] }], usage: { prompt_tokens: 8, total_tokens: 8 } })])
        .usage,
    ).toMatchObject({ totalInput: 8, totalOutput: 0 });
  });

  it('of Anthropic: cache reads and writes come on top of the input', () => {
    expect(read(sse('anthropic-messages'), [anthropicStream])).toMatchObject({
      complete: true,
      finishReason: 'end_turn',
      usage: {
        input: 10,
        cachedRead: 5,
        cacheWrite5m: 3,
        cacheWrite1h: 4,
        totalInput: 22,
        output: 20,
        convention: { cachedRead: 'on-top' },
      },
    });
  });

  it('of Anthropic without the split by lifetime: all writes are the default five minutes', () => {
    expect(
      read(head('anthropic-messages'), ['{"usage":{"input_tokens":1,"cache_creation_input_tokens":9,"output_tokens":2}}']).usage,
    ).toMatchObject({ cacheWrite5m: 9, cacheWrite1h: 0 });
  });

  it('of Gemini: thoughts and tool prompts come on top, as SSE and as a JSON array', () => {
    const expected = {
      complete: true,
      finishReason: 'STOP',
      model: 'gemini-2.5-flash',
      usage: { input: 8, cachedRead: 4, totalInput: 12, output: 6, reasoning: 9, totalOutput: 15 },
    };
    expect(read(sse('gemini-generate'), [data(...geminiChunks)])).toMatchObject(expected);
    expect(read(head('gemini-generate'), [`[${geminiChunks.map((chunk) => JSON.stringify(chunk)).join(',\r\n')}]`])).toMatchObject(
      expected,
    );
  });

  it.each([-1, 1.5, '7', 1e300, { tokens: 1 }])('with a count of %j is unreadable, not guessed', (tokens) => {
    expect(read(head('openai-chat'), [JSON.stringify({ usage: { prompt_tokens: tokens, completion_tokens: 1 } })])).toMatchObject({
      usage: null,
      usageUnknown: 'unreadable',
    });
  });

  it('whose part is larger than its whole is unreadable', () => {
    expect(
      read(head('openai-chat'), ['{"usage":{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}}'])
        .usageUnknown,
    ).toBe('unreadable');
  });

  it('that is not there is named by its reason', () => {
    expect(read(head('openai-chat'), ['{"choices":[]}']).usageUnknown).toBe('not-sent');
    expect(read(head('openai-chat', { status: 500 }), ['{"error":{"type":"server_error"}}'])).toMatchObject({
      usageUnknown: 'error-status',
      errorType: 'server_error',
    });
    expect(read(head('openai-chat'), ['not json']).usageUnknown).toBe('unreadable');
    expect(read(head('openai-chat'), [Buffer.alloc(limits.answerBytes + 1, 0x20)]).usageUnknown).toBe('too-large');
    expect(read(head('openai-chat', { contentEncoding: 'zstd' }), ['x']).usageUnknown).toBe('encoded');
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('is read through %s', (contentEncoding, compress) => {
    const bytes = compress(Buffer.from('{"usage":{"prompt_tokens":3,"completion_tokens":4}}'));
    expect(read(head('openai-chat', { contentEncoding }), [bytes.subarray(0, 5), bytes.subarray(5)]).usage).toMatchObject({
      input: 3,
      output: 4,
    });
  });
});

describe('streams', () => {
  it.each([
    ['openai-chat', openaiStream],
    ['anthropic-messages', anthropicStream],
    ['gemini-generate', data(...geminiChunks)],
  ] as const)('of %s read alike whatever the chunking and the line ends', (api, stream) => {
    const whole = read(sse(api), [stream]);
    expect(whole.complete).toBe(true);
    fc.assert(
      fc.property(
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(stream.length * 2), { maxLength: 30 }),
        fc.boolean(),
        (end, cuts, bom) => {
          const bytes = Buffer.from((bom ? '\ufeff' : '') + ': a comment\n\n'.replaceAll('\n', end) + stream.replaceAll('\n', end));
          const places = [0, ...cuts.map((cut) => cut % bytes.length), bytes.length].sort((a, b) => a - b);
          const chunks = places.slice(1).map((place, index) => bytes.subarray(places[index], place));
          expect(read(sse(api), chunks)).toEqual(whole);
        },
      ),
      runs(300),
    );
  });

  it('that are cut anywhere before their terminal event are not complete, and their usage is unknown', () => {
    const end = openaiStream.indexOf('"finish_reason":"stop"');
    for (let cut = 0; cut < end; cut += 7)
      expect(read(sse('openai-chat'), [openaiStream.slice(0, cut)], false)).toMatchObject({
        complete: false,
        usage: null,
        usageUnknown: 'cut',
      });
  });

  it('say when they were not asked for usage', () => {
    const without = openaiStream.replace(/data: \{[^\n]*"usage"[^\n]*\n\n/, '');
    expect(read(sse('openai-chat', { usageNotAsked: true }), [without])).toMatchObject({
      complete: true,
      usageUnknown: 'stream-not-asked',
    });
  });

  it('tell of an error that comes after a 200', () => {
    expect(read(sse('openai-chat'), [data({ error: { type: 'server_error', message: 'x' } })])).toMatchObject({
      errorType: 'server_error',
      complete: false,
    });
    expect(read(sse('anthropic-messages'), ['event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'])).toMatchObject(
      { errorType: 'overloaded_error' },
    );
  });

  it('report their first token once', () => {
    const reader = readAnswer(sse('openai-chat'));
    const told = openaiStream.split(/(?<=\n\n)/).map((event) => reader.push(Buffer.from(event)));
    expect(told.filter(Boolean)).toHaveLength(1);
    expect(told[1]).toBe(true);
  });

  it('with an endless line are held up to the bound and skipped', () => {
    const events: string[] = [];
    const splitter = new SseSplitter((event) => events.push(event.toString()));
    splitter.push(Buffer.from('data: '));
    for (let i = 0; i < 20; i++) splitter.push(Buffer.alloc(100_000, 0x61));
    splitter.push(Buffer.from('\n\ndata: after\n\n'));
    expect(events).toEqual(['after']);
    expect(splitter.skipped).toBe(1);
  });

  it('join the data lines of one event', () => {
    const events: string[] = [];
    const splitter = new SseSplitter((event) => events.push(event.toString()));
    splitter.push(Buffer.from('id: 1\ndata: a\ndata:b\n\nretry: 5\ndata\n\n'));
    splitter.end();
    expect(events).toEqual(['a\nb', '']);
  });

  it('never make a reader throw, whatever the bytes', () => {
    const apis: ApiName[] = [
      'openai-chat',
      'openai-responses',
      'anthropic-messages',
      'gemini-generate',
      'bedrock',
      'anthropic-count-tokens',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...apis),
        fc.boolean(),
        fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 6 }),
        fc.boolean(),
        (api, stream, chunks, whole) => {
          const answer = read(
            stream ? sse(api) : head(api),
            chunks.map((chunk) => Buffer.from(chunk)),
            whole,
          );
          expect(answer.usage === null).toBe(answer.usageUnknown !== null);
        },
      ),
      runs(1_000),
    );
  });
});
