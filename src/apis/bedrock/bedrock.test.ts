import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { readAnswer } from '../answer.ts';
import type { Answer } from '../types.ts';
import { EventStreamSplitter } from '../scan/event-stream.ts';

function message(headers: Readonly<Record<string, string>>, payload: object): Buffer {
  const named = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(value.length);
      return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), length, Buffer.from(value)]);
    }),
  );
  const body = Buffer.from(JSON.stringify(payload));
  const whole = Buffer.alloc(12 + named.length + body.length + 4);
  whole.writeUInt32BE(whole.length, 0);
  whole.writeUInt32BE(named.length, 4);
  whole.writeUInt32BE(crc32(whole.subarray(0, 8)), 8);
  named.copy(whole, 12);
  body.copy(whole, 12 + named.length);
  whole.writeUInt32BE(crc32(whole.subarray(0, -4)), whole.length - 4);
  return whole;
}

const event = (type: string, payload: object): Buffer =>
  message({ ':message-type': 'event', ':content-type': 'application/json', ':event-type': type }, payload);
const piece = (value: object): Buffer => event('chunk', { bytes: Buffer.from(JSON.stringify(value)).toString('base64'), p: 'abc' });

function read(contentType: string, chunks: readonly Buffer[], status = 200): Answer {
  const reader = readAnswer({ api: 'bedrock', status, contentType, contentEncoding: '', usageNotAsked: false });
  for (const chunk of chunks) reader.push(chunk);
  return reader.end(true);
}
const whole = (body: object): Answer => read('application/json', [Buffer.from(JSON.stringify(body))]);
const stream = (...messages: readonly Buffer[]): Answer => read('application/vnd.amazon.eventstream', [Buffer.concat(messages)]);

const converse = [
  event('messageStart', { role: 'assistant' }),
  event('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'hi' } }),
  event('messageStop', { stopReason: 'end_turn' }),
  event('metadata', { usage: { inputTokens: 30, outputTokens: 6, totalTokens: 36 }, metrics: { latencyMs: 5 } }),
];

it.each([
  ['Converse', { usage: { inputTokens: 30, outputTokens: 6, totalTokens: 36 } }, { totalInput: 30, totalOutput: 6 }],
  [
    'Converse with a prompt cache',
    {
      usage: {
        inputTokens: 30,
        outputTokens: 6,
        totalTokens: 1436,
        cacheReadInputTokens: 1000,
        cacheWriteInputTokens: 400,
        cacheDetails: [
          { ttl: '1h', inputTokens: 300 },
          { ttl: '5m', inputTokens: 100 },
        ],
      },
    },
    { totalInput: 1430, input: 30, cachedRead: 1000, cacheWrite5m: 100, cacheWrite1h: 300 },
  ],
  ['Anthropic', { usage: { input_tokens: 10, output_tokens: 2, cache_read_input_tokens: 5 } }, { totalInput: 15, cachedRead: 5 }],
  ['OpenAI', { usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 } }, { totalInput: 10, totalOutput: 2 }],
  ['Titan’s embeddings', { embedding: [0.1], inputTextTokenCount: 5 }, { totalInput: 5, totalOutput: 0 }],
  ['Llama', { generation: 'hi', prompt_token_count: 8, generation_token_count: 3, stop_reason: 'stop' }, { totalInput: 8, totalOutput: 3 }],
])('reads the usage in the words of %s', (_name, body, usage) => expect(whole(body).usage).toMatchObject(usage));

it('does not know a price for tools that the server ran', () =>
  expect(whole({ usage: { inputTokens: 1, outputTokens: 2, serverToolUsage: { webSearchRequests: 1 } } }).usage?.beyond).toEqual([
    'serverToolUsage',
  ]));

it('reads the tier, and knows no price of the faster mode', () => {
  const usage = { inputTokens: 30, outputTokens: 6, totalTokens: 36 };
  expect(whole({ usage, serviceTier: { type: 'flex' }, performanceConfig: { latency: 'standard' } }).usage).toMatchObject({
    service: 'flex',
  });
  expect(whole({ usage, serviceTier: { type: 'reserved' } }).usage?.beyond).toEqual(['service_tier reserved']);
  expect(whole({ usage, performanceConfig: { latency: 'optimized' } }).usage?.beyond).toEqual(['latency optimized']);
  const ended = event('metadata', { usage, performanceConfig: { latency: 'optimized' }, serviceTier: { type: 'priority' } });
  expect(stream(...converse.slice(0, 3), ended).usage).toMatchObject({ service: 'priority', beyond: ['latency optimized'] });
  expect(stream(...converse).usage).not.toHaveProperty('beyond');
});

it('knows no usage where there is none', () => {
  expect(whole({ results: [] })).toMatchObject({ usage: null, usageUnknown: 'not-sent', complete: true });
  expect(whole({ usage: { inputTokens: -1 } })).toMatchObject({ usage: null, usageUnknown: 'unreadable' });
});

it('reads a stream of Converse, however it is cut into chunks', () => {
  const all = Buffer.concat(converse);
  for (const size of [1, 7, 64, all.length]) {
    const chunks = Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.subarray(at * size, (at + 1) * size));
    expect(read('application/vnd.amazon.eventstream', chunks)).toMatchObject({
      usage: { totalInput: 30, totalOutput: 6 },
      finishReason: 'end_turn',
      complete: true,
      errorType: null,
    });
  }
});

it('takes a stream without its last event as cut, and an exception as an error', () => {
  expect(stream(...converse.slice(0, 3))).toMatchObject({ usage: null, usageUnknown: 'cut', complete: false });
  const thrown = message({ ':message-type': 'exception', ':exception-type': 'modelStreamErrorException' }, { message: 'no' });
  expect(stream(...converse.slice(0, 2), thrown)).toMatchObject({ errorType: 'modelStreamErrorException', complete: false });
});

it('reads the stream of a model that was invoked, in its own words', () => {
  const invocation = { 'amazon-bedrock-invocationMetrics': { inputTokenCount: 9, outputTokenCount: 4, invocationLatency: 5 } };
  expect(
    stream(
      piece({
        type: 'message_start',
        message: { model: 'claude', usage: { input_tokens: 9, cache_read_input_tokens: 3, output_tokens: 1 } },
      }),
      piece({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hi' } }),
      piece({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 4 } }),
      piece({ type: 'message_stop', ...invocation }),
    ),
  ).toMatchObject({ usage: { totalInput: 12, cachedRead: 3, totalOutput: 4 }, model: 'claude', complete: true });
  expect(stream(piece({ generation: 'hi' }), piece({ generation: '', stop_reason: 'stop', ...invocation }))).toMatchObject({
    usage: { totalInput: 9, totalOutput: 4 },
    complete: true,
  });
});

it('skips a message that is too long, and reads nothing after bytes that are no message', () => {
  const seen: string[] = [];
  const splitter = new EventStreamSplitter((headers) => void seen.push(headers.get(':event-type') ?? ''), 400);
  const long = event('long', { text: 'x'.repeat(1000) });
  for (const part of [converse[0]!, long.subarray(0, 100), long.subarray(100), converse[3]!, Buffer.alloc(50, 0xff), converse[3]!])
    splitter.push(part);
  expect(seen).toEqual(['messageStart', 'metadata']);
  expect(splitter.skipped).toBe(1);
});
