import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorInAnswer } from '../common/error-words.ts';
import { runs } from '../../../test/support/fuzz.ts';
import { readAnswer, readExchange, recognise, spliceRequest } from '../index.ts';
import { planShape } from '../shape/plan.ts';
import { chatBody } from '../testing/arbitrary.ts';
import { refused, translate } from '../testing/requests.ts';
import { canTranslate, renderStreamError } from '../translate.ts';
import type { ParsedRequest, RequestHead } from '../types.ts';
import { readUsage } from '../usage.ts';

const head = (path: string): RequestHead => ({
  method: 'POST',
  path,
  authority: '',
  contentType: 'application/json',
  contentEncoding: '',
  contentLength: null,
  upgrade: false,
});
const command = { model: 'command-a-03-2025' };
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

function read(body: unknown): ParsedRequest {
  const recognition = recognise(head('/v2/chat'), 'cohere');
  const result = recognition.kind === 'readable' ? readExchange(recognition, Buffer.from(JSON.stringify(body))) : null;
  if (result?.ok !== true) throw new Error(JSON.stringify(result));
  return result.exchange;
}

const request = {
  model: 'command-a-03-2025',
  stream: true,
  messages: [
    { role: 'system', content: 'Be brief.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'And this?' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
      ],
    },
    {
      role: 'assistant',
      tool_plan: 'I look it up.',
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'look_up', arguments: '{"id":12345678901234567890}' } }],
    },
    { role: 'tool', tool_call_id: 'a', content: [{ type: 'document', document: { data: '{"found":1}' } }] },
  ],
  tools: [{ type: 'function', function: { name: 'look_up', description: 'Looks up', parameters: schema } }],
  max_tokens: 300,
  temperature: 0.2,
  p: 0.9,
  k: 20,
  stop_sequences: ['END'],
};

describe('a request', () => {
  it('is recognised by its path; others of the provider are observed', () => {
    expect(recognise(head('/v2/chat'), 'cohere')).toMatchObject({ kind: 'readable', api: 'cohere-chat', operation: 'generate' });
    for (const path of ['/v1/chat', '/v2/embed', '/v2/rerank'])
      expect(recognise(head(path), 'cohere')).toMatchObject({ kind: 'observed', reason: 'not-rewritable' });
  });

  it('is read, and gets another model in the place of its own', () => {
    const exchange = read(request);
    expect(exchange).toMatchObject({
      model: 'command-a-03-2025',
      stream: true,
      system: 'Be brief.',
      lastIsToolResult: true,
      tools: 1,
      toolNames: ['look_up'],
      images: 1,
      maxOutputTokens: 300,
      temperature: 0.2,
      jsonOutput: 'none',
      messages: 3,
    });
    const spliced = Buffer.concat(
      spliceRequest(Buffer.from(JSON.stringify(request)), exchange, { model: 'command-r7b-12-2024', askUsage: false }),
    );
    expect(JSON.parse(spliced.toString('utf8'))).toEqual({ ...request, model: 'command-r7b-12-2024' });
    expect(read({ ...request, response_format: { type: 'json_object' } }).jsonOutput).toBe('object');
    expect(read({ ...request, response_format: { type: 'json_object', json_schema: schema } }).jsonOutput).toBe('schema');
  });
});

describe('usage', () => {
  const tokens = { input_tokens: 500, output_tokens: 20 };
  it('is what is billed, and what was counted where nothing says that', () => {
    expect(
      readUsage('cohere-chat', { billed_units: { input_tokens: 12, output_tokens: 18 }, tokens, cached_tokens: 400 }, ''),
    ).toMatchObject({ totalInput: 12, totalOutput: 18, cachedRead: 0 });
    expect(readUsage('cohere-chat', { tokens }, '')).toMatchObject({ totalInput: 500, totalOutput: 20 });
    expect(readUsage('cohere-chat', { billed_units: { input_tokens: 12, output_tokens: 18, search_units: 1 } }, '')?.calls).toEqual({
      search_units: 1,
    });
  });
  it.each([{}, { billed_units: { input_tokens: -1 } }, { billed_units: { input_tokens: '12' } }])(
    'is null where it cannot be read: %j',
    (usage) => {
      expect(readUsage('cohere-chat', usage, '')).toBeNull();
    },
  );
  it('is unknown for a stream that was cut', () => {
    const reader = readAnswer({
      api: 'cohere-chat',
      status: 200,
      contentType: 'text/event-stream',
      contentEncoding: '',
      usageNotAsked: false,
    });
    reader.push(
      Buffer.from('event: content-delta\ndata: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a"}}}}\n\n'),
    );
    expect(reader.end(false)).toMatchObject({ usage: null, usageUnknown: 'cut' });
  });
});

it('a policy caps the limit on its answer', () => {
  const { changes, left } = planShape(
    read(request),
    { maxOutputTokens: 100, reasoning: 'low', thinkingTokens: null, serviceTier: null },
    [{ provider: 'cohere', model: request.model }],
    false,
  );
  expect(changes).toEqual([{ part: 'maxOutputTokens', path: 'max_tokens', from: 300, to: 100 }]);
  expect(left).toEqual([{ part: 'reasoning', why: 'not-said' }]);
});

it.each([
  [{ type: 'enabled', token_budget: 9_000 }, 9_000],
  [{ type: 'enabled' }, null],
])('a policy caps the tokens to think with: %j', (thinking, from) => {
  const model = 'command-a-reasoning-08-2025';
  const shape = { maxOutputTokens: null, reasoning: null, thinkingTokens: 2_000, serviceTier: null };
  const { changes } = planShape(read({ ...request, model, thinking }), shape, [{ provider: 'cohere', model }], false);
  expect(changes).toEqual([{ part: 'thinkingTokens', path: 'thinking.token_budget', from, to: 2_000 }]);
});

it('an error inside a stream is its end', () => {
  expect(renderStreamError('cohere-chat', 'No.').toString('utf8')).toBe(
    'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"ERROR","error":"No."}}\n\n',
  );
});

describe('translated', () => {
  it('to OpenAI, it says the same', () => {
    expect(translate('cohere-chat', 'openai-chat', request, { model: 'gpt-4.1', drop: ['k'] })).toEqual({
      model: 'gpt-4.1',
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'And this?' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
          ],
        },
        {
          role: 'assistant',
          content: 'I look it up.',
          tool_calls: [{ id: 'a', type: 'function', function: { name: 'look_up', arguments: '{"id":12345678901234567890}' } }],
        },
        { role: 'tool', tool_call_id: 'a', content: '{"found":1}' },
      ],
      tools: [{ type: 'function', function: { name: 'look_up', description: 'Looks up', parameters: schema } }],
      max_completion_tokens: 300,
      temperature: 0.2,
      top_p: 0.9,
      stop: ['END'],
    });
  });

  it('from OpenAI and back, it says what it said', () => {
    fc.assert(
      fc.property(chatBody, (body) => {
        const tools = body['tools'] !== undefined;
        const choice = body['tool_choice'];
        // What Cohere has no word for, or says by leaving something out.
        const said = {
          ...body,
          tool_choice: typeof choice === 'string' && choice !== 'auto' ? choice : undefined,
          response_format: tools ? undefined : body['response_format'],
        };
        const there = translate('openai-chat', 'cohere-chat', said, command);
        expect(translate('cohere-chat', 'openai-chat', there, { model: 'gpt-4.1' })).toEqual(JSON.parse(JSON.stringify(said)));
      }),
      runs(150),
    );
  });

  it('keeps an answer to a schema, and takes no bound that is not kept', () => {
    const asked = (properties: object) => ({
      model: 'gpt-4.1',
      messages: [{ role: 'user', content: 'Hi' }],
      response_format: { type: 'json_schema', json_schema: { name: 'a', strict: true, schema: { ...schema, properties } } },
    });
    expect(translate('openai-chat', 'cohere-chat', asked({ city: { type: 'string' } }), command)['response_format']).toEqual({
      type: 'json_object',
      json_schema: schema,
    });
    expect(refused('openai-chat', 'cohere-chat', asked({ city: { type: 'string', maxLength: 3 } }), command)).toEqual([
      'response_format.schema.maxLength',
    ]);
  });

  it('says what does not fit', () => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
    expect(
      refused(
        'openai-chat',
        'cohere-chat',
        { ...body, tools: [{ type: 'function', function: { name: 'f' } }], response_format: { type: 'json_object' } },
        command,
      ),
    ).toEqual(['response_format']);
    expect(refused('openai-chat', 'cohere-chat', { ...body, reasoning_effort: 'low' }, command)).toEqual(['reasoning_effort']);
    expect(
      translate('openai-chat', 'cohere-chat', { ...body, reasoning_effort: 'low' }, { model: 'command-a-reasoning-08-2025' })['thinking'],
    ).toEqual({ type: 'enabled', token_budget: 1_024 });
    expect(refused('cohere-chat', 'openai-chat', { ...body, documents: ['a'], safety_mode: 'OFF' }, { model: 'gpt-4.1' })).toEqual([
      'documents',
      'safety_mode',
    ]);
    expect(canTranslate('openai-chat', 'cohere-chat', { n: 1, audioInputs: 1, audioOutput: false, jsonOutput: 'none' })).toBe(false);
  });
});

it.each(['ERROR', 'TIMEOUT'])('an answer that ended with %s is none', (reason) => {
  expect(errorInAnswer({ finish_reason: reason, message: { role: 'assistant', content: [] } })).toBe('server-error');
  expect(errorInAnswer({ finish_reason: 'MAX_TOKENS', message: { role: 'assistant', content: [] } })).toBeNull();
});
