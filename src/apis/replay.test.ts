import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ApiName } from './types.ts';
import { usage } from '../../test/support/decision.ts';
import type { AnswerForm } from './answer-forms.ts';
import { renderAnswer } from './replay.ts';
import { runs } from '../../test/support/fuzz.ts';

const wants = (form: AnswerForm, includeUsage = true) => ({ form, includeUsage });

function convert(api: ApiName, form: AnswerForm, body: string, to: AnswerForm, includeUsage = true): string | null {
  return renderAnswer({ api, form, body: Buffer.from(body), usage: usage(3, 4) }, wants(to, includeUsage))?.body.toString() ?? null;
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const filled = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
const call = fc.record({
  id: fc.constantFrom('call_1', 'call_2'),
  type: fc.constant('function'),
  function: fc.record({ name: fc.constantFrom('find', 'do'), arguments: fc.jsonValue().map((value) => JSON.stringify(value)) }),
});

const chat = fc
  .array(fc.record({ content: filled, tool_calls: fc.array(call, { maxLength: 3 }) }), { minLength: 1, maxLength: 3 })
  .map((choices) => ({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-x',
    service_tier: 'default',
    choices: choices.map(({ content, tool_calls }, index) => ({
      index,
      message: { role: 'assistant', content, refusal: null, ...(tool_calls.length === 0 ? {} : { tool_calls }) },
      logprobs: null,
      finish_reason: 'stop',
    })),
    usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
  }));

const block = fc.oneof(
  text.map((value) => ({ type: 'text', text: value })),
  fc.record({
    type: fc.constant('tool_use'),
    id: fc.constant('toolu_1'),
    name: fc.constant('find'),
    input: fc.dictionary(fc.string(), fc.jsonValue()),
  }),
  fc.record({ type: fc.constant('thinking'), thinking: text, signature: fc.constant('c2ln') }),
  fc.constant({ type: 'redacted_thinking', data: 'eA==' }),
);
const message = fc
  .array(block, { minLength: 1, maxLength: 4 })
  .map((content) => ({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-x',
    content,
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 3, output_tokens: 4, cache_read_input_tokens: 0 },
  }));

const output = fc.array(
  fc.oneof(
    text.map((value) => ({
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: value, annotations: [] }],
    })),
    fc.constant({ id: 'fc_1', type: 'function_call', call_id: 'c', name: 'find', arguments: '{"a":1}', status: 'completed' }),
    fc.constant({ id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'eA' }),
  ),
  { minLength: 1, maxLength: 3 },
);
const response = output.map((items) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'completed',
  model: 'gpt-x',
  output: items,
  usage: { input_tokens: 3, output_tokens: 4 },
}));

const completion = text.map((value) => ({
  id: 'cmpl-1',
  object: 'text_completion',
  created: 1,
  model: 'gpt-x',
  choices: [{ index: 0, text: value, logprobs: null, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 4 },
}));

const content = fc
  .array(filled, { minLength: 1, maxLength: 4 })
  .map((texts) => ({
    candidates: [{ content: { role: 'model', parts: [{ text: texts.join('') }] }, index: 0, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4, totalTokenCount: 7 },
    modelVersion: 'gemini-x',
  }));

describe('an answer written as a stream and put together again', () => {
  it.each<[ApiName, fc.Arbitrary<object>]>([
    ['openai-chat', chat],
    ['openai-completions', completion],
    ['openai-responses', response],
    ['anthropic-messages', message],
    ['gemini-generate', content],
  ])('is the same: %s', (api, answers) => {
    fc.assert(
      fc.property(answers, (answer) => {
        const stream = convert(api, 'json', JSON.stringify(answer), 'sse');
        expect(stream).toMatch(/\n\n$/);
        expect(JSON.parse(convert(api, 'sse', stream!, 'json')!)).toEqual(JSON.parse(JSON.stringify(answer)));
      }),
      runs(200),
    );
  });

  it('is the same through Gemini’s array too', () => {
    fc.assert(
      fc.property(content, (answer) => {
        const array = convert('gemini-generate', 'json', JSON.stringify(answer), 'array')!;
        expect(JSON.parse(array)).toEqual([answer]);
        expect(JSON.parse(convert('gemini-generate', 'array', array, 'json')!)).toEqual(answer);
      }),
    );
  });
});

describe('a stream', () => {
  const chunk = (delta: object, more: object = {}): string =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`;
  const last = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: { total_tokens: 7 } })}\n\ndata: [DONE]\n\n`;

  it('is replayed byte for byte to who asked for the same', () => {
    const stream = chunk({ role: 'assistant', content: 'a' }) + last;
    expect(convert('openai-chat', 'sse', stream, 'sse')).toBe(stream);
  });

  it('loses its usage chunk for who did not ask for it', () => {
    const stream = chunk({ role: 'assistant', content: 'the "usage" of it' }) + last;
    expect(convert('openai-chat', 'sse', stream, 'sse', false)).toBe(
      `${chunk({ role: 'assistant', content: 'the "usage" of it' })}data: [DONE]\n\n`,
    );
  });

  it('without usage serves nobody who wants usage', () => {
    const entry = { api: 'openai-chat' as const, form: 'sse' as const, body: Buffer.from(chunk({ content: 'a' })), usage: null };
    expect(renderAnswer(entry, wants('sse'))).toBeNull();
    expect(renderAnswer(entry, wants('json'))).toBeNull();
    expect(renderAnswer(entry, wants('sse', false))?.body.equals(entry.body)).toBe(true);
  });

  it('joins what comes in pieces: tool arguments, log probabilities, fields of other providers', () => {
    const stream =
      chunk({ role: 'assistant', content: null, reasoning_content: 'hm' }) +
      chunk({
        reasoning_content: 'm',
        tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'find', arguments: '{"a"' } }],
      }) +
      chunk({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }) +
      last;
    expect(JSON.parse(convert('openai-chat', 'sse', stream, 'json')!)).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          message: {
            role: 'assistant',
            content: null,
            reasoning_content: 'hmm',
            tool_calls: [{ id: 'call_1', function: { name: 'find', arguments: '{"a":1}' } }],
          },
        },
      ],
      usage: { total_tokens: 7 },
    });
  });
});

describe('what is not known well enough', () => {
  it.each<[string, ApiName, AnswerForm, string, AnswerForm]>([
    ['audio', 'openai-chat', 'json', '{"choices":[{"index":0,"message":{"audio":{"id":"a"}}}]}', 'sse'],
    [
      'an unknown Anthropic event',
      'anthropic-messages',
      'sse',
      'data: {"type":"message_start","message":{"usage":{}}}\n\ndata: {"type":"something_new"}\n\n',
      'json',
    ],
    [
      'an unknown delta',
      'anthropic-messages',
      'sse',
      'data: {"type":"message_start","message":{"usage":{}}}\n\ndata: {"type":"content_block_start","index":0,"content_block":{}}\n\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"new"}}\n\n',
      'json',
    ],
    ['a response without its end', 'openai-responses', 'sse', 'data: {"type":"response.created"}\n\n', 'json'],
    ['an unknown content part', 'openai-responses', 'json', '{"output":[{"type":"message","content":[{"type":"hologram"}]}]}', 'sse'],
    ['a gap in the choices', 'openai-chat', 'sse', 'data: {"choices":[{"index":1,"delta":{}}]}\n\n', 'json'],
    ['no JSON', 'openai-chat', 'json', '<html>', 'sse'],
    ['embeddings as a stream', 'openai-embeddings', 'json', '{"data":[]}', 'sse'],
  ])('is not rewritten: %s', (_name, api, form, body, to) => {
    expect(convert(api, form, body, to)).toBeNull();
  });

  it('never throws, whatever the bytes', () => {
    const api = fc.constantFrom<ApiName>('openai-chat', 'openai-completions', 'openai-responses', 'anthropic-messages', 'gemini-generate');
    const form = fc.constantFrom<AnswerForm>('json', 'sse', 'array');
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((value) => Buffer.from(value)),
      fc.array(fc.json()).map((events) => Buffer.from(events.map((event) => `data: ${event}\n\n`).join(''))),
    );
    fc.assert(
      fc.property(
        api,
        form,
        form,
        bytes,
        fc.boolean(),
        (name, from, to, body, includeUsage) =>
          void renderAnswer({ api: name, form: from, body: Buffer.from(body), usage: usage(1, 1) }, { form: to, includeUsage }),
      ),
      runs(500),
    );
  });
});

describe('usage: zero', () => {
  const zero = (api: ApiName, form: AnswerForm, body: string): string =>
    renderAnswer({ api, form, body: Buffer.from(body), usage: usage(3, 4) }, wants(form), 'zero')!.body.toString();

  it('makes every count 0 and leaves all else', () => {
    const chat = {
      choices: [{ message: { content: 'usage: 7' } }],
      seven: 7,
      usage: { prompt_tokens: 3, prompt_tokens_details: { cached_tokens: 2 }, note: 'a' },
    };
    expect(JSON.parse(zero('openai-chat', 'json', JSON.stringify(chat)))).toEqual({
      ...chat,
      usage: { prompt_tokens: 0, prompt_tokens_details: { cached_tokens: 0 }, note: 'a' },
    });
    expect(zero('gemini-generate', 'array', '[{"usageMetadata":{"totalTokenCount":7}},{"n":1}]')).toBe(
      '[{"usageMetadata":{"totalTokenCount":0}},{"n":1}]',
    );
    expect(zero('openai-chat', 'json', '{"choices":[],"n":[1,  2]}')).toBe('{"choices":[],"n":[1,  2]}');
  });

  it('reaches into events, names included', () => {
    expect(
      zero(
        'anthropic-messages',
        'sse',
        'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\nevent: ping\ndata: {"n":1}\n\nevent: message_delta\ndata: {"usage":{"output_tokens":4}}\n\n',
      ),
    ).toBe(
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":0}}}\n\nevent: ping\ndata: {"n":1}\n\nevent: message_delta\ndata: {"usage":{"output_tokens":0}}\n\n',
    );
    expect(zero('openai-chat', 'sse', 'data: {"choices":[],"usage":{"total_tokens":7}}\r\n\r\ndata: [DONE]\r\n\r\n')).toBe(
      'data: {"choices":[],"usage":{"total_tokens":0}}\r\n\r\ndata: [DONE]\r\n\r\n',
    );
    expect(zero('openai-responses', 'sse', 'data: {"type":"response.completed","response":{"usage":{"total_tokens":7}}}\n\n')).toContain(
      '"total_tokens":0',
    );
  });
});
