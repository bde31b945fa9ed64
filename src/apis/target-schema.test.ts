import { describe, expect, it } from 'vitest';
import type { ApiName } from './types.ts';
import type { JsonObject } from './common/json.ts';
import { translateAnswer, translateRequest, AnswerTranslator } from './translate.ts';

const models: Readonly<Partial<Record<ApiName, string>>> = {
  'openai-chat': 'gpt-4.1',
  'anthropic-messages': 'claude-sonnet-4-5',
  'gemini-generate': 'gemini-2.5-flash',
};

function translate(from: ApiName, to: ApiName, body: object, drop: readonly string[] = []) {
  return translateRequest(from, to, Buffer.from(JSON.stringify(body)), { model: models[to] ?? '', stream: false, drop });
}

function written(
  from: ApiName,
  to: ApiName,
  body: object,
  drop: readonly string[] = [],
): JsonObject & { readonly dropped: readonly string[] } {
  const result = translate(from, to, body, drop);
  if (!result.ok) throw new Error(JSON.stringify(result.unsupported));
  return { ...(JSON.parse(result.body.toString()) as JsonObject), dropped: result.dropped };
}

const ask = [{ role: 'user', content: 'x' }];
const chatTool = (parameters: unknown, name = 'now'): object => ({
  model: 'm',
  messages: ask,
  tools: [{ type: 'function', function: { name, parameters } }],
});
const chatFormat = (schema: object, strict?: boolean): object => ({
  model: 'm',
  messages: ask,
  response_format: { type: 'json_schema', json_schema: { name: 'r', schema, ...(strict === undefined ? {} : { strict }) } },
});
const formatOf = (body: JsonObject): unknown => (body['output_config'] as { readonly format: { readonly schema: unknown } }).format.schema;

describe('the arguments of a tool', () => {
  it.each([
    ['nothing', {}, { type: 'object', properties: {} }],
    ['an object without members', { type: 'object' }, { type: 'object', properties: {} }],
    ['no type', { properties: { a: { type: 'string' } } }, { properties: { a: { type: 'string' } }, type: 'object' }],
    [
      'a list of what is not said',
      { type: 'object', properties: { a: { type: 'array' } } },
      { type: 'object', properties: { a: { type: 'array', items: {} } } },
    ],
    [
      'one that may be null',
      { type: 'object', properties: { a: { type: 'string', nullable: true } } },
      { type: 'object', properties: { a: { type: ['string', 'null'] } } },
    ],
    [
      'a dialect',
      { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', properties: {} },
      { type: 'object', properties: {} },
    ],
  ])('%s', (_what, parameters, schema) => {
    expect(written('openai-chat', 'anthropic-messages', chatTool(parameters))['tools']).toEqual([{ name: 'now', input_schema: schema }]);
    expect(written('openai-chat', 'gemini-generate', chatTool(parameters))['tools']).toEqual([
      { functionDeclarations: [{ name: 'now', parametersJsonSchema: schema }] },
    ]);
    const back = written('anthropic-messages', 'openai-chat', {
      model: 'm',
      max_tokens: 9,
      messages: ask,
      tools: [{ name: 'now', input_schema: parameters }],
    });
    expect(back['tools']).toEqual([{ type: 'function', function: { name: 'now', parameters: schema } }]);
  });

  it.each([[{ type: 'string' }], [{ anyOf: [{ type: 'object' }] }]])(
    'that are no object are refused with their place: %j',
    (parameters) => {
      expect(translate('openai-chat', 'anthropic-messages', chatTool(parameters))).toMatchObject({
        ok: false,
        unsupported: [{ path: expect.stringContaining('tools[].parameters') as string }],
      });
    },
  );
});

describe('the form of an answer', () => {
  const bounded = {
    type: 'object',
    properties: { score: { type: 'integer', minimum: 1, maximum: 10 }, tags: { type: 'array', items: { type: 'string' }, minItems: 2 } },
    required: ['score', 'tags'],
    additionalProperties: false,
  };

  it('loses bounds that Anthropic does not keep, where they were promised', () => {
    const refused = translate('openai-chat', 'anthropic-messages', chatFormat(bounded, true));
    expect(refused).toMatchObject({ ok: false });
    if (!refused.ok)
      expect(refused.unsupported.map(({ path }) => path)).toEqual([
        'response_format.schema.minimum',
        'response_format.schema.maximum',
        'response_format.schema.minItems',
      ]);
    const dropped = written('openai-chat', 'anthropic-messages', chatFormat(bounded, true), ['minimum', 'maximum', 'minItems']);
    expect(formatOf(dropped)).toEqual({
      type: 'object',
      properties: { score: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
      required: ['score', 'tags'],
      additionalProperties: false,
    });
  });

  it('leaves them out and says so where the schema is a hint, and closes objects', () => {
    const hinted = written('openai-chat', 'anthropic-messages', chatFormat({ ...bounded, additionalProperties: undefined }));
    expect(formatOf(hinted)).toMatchObject({ additionalProperties: false });
    expect(hinted.dropped).toEqual(['response_format.schema.minimum', 'response_format.schema.maximum', 'response_format.schema.minItems']);
  });

  it.each([
    ['members of any name', { type: 'object', properties: { a: { type: 'object', additionalProperties: { type: 'string' } } } }],
    ['itself', { type: 'object', properties: { next: { $ref: '#' } } }],
    [
      'itself by way of a definition',
      {
        type: 'object',
        properties: { a: { $ref: '#/$defs/node' } },
        $defs: { node: { type: 'object', properties: { next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } } } },
      },
    ],
  ])('cannot be kept to at Anthropic when it holds %s', (_what, schema) =>
    expect(translate('openai-chat', 'anthropic-messages', chatFormat(schema, true), ['neutral'])).toMatchObject({ ok: false }),
  );

  it('keeps references, and makes alternatives those that are known', () => {
    const schema = {
      type: 'object',
      properties: { a: { oneOf: [{ $ref: '#/$defs/x' }, { type: 'null' }] } },
      required: ['a'],
      $defs: { x: { type: 'object', properties: { b: { type: 'string' } } } },
    };
    expect(formatOf(written('openai-chat', 'anthropic-messages', chatFormat(schema, true)))).toEqual({
      type: 'object',
      properties: { a: { anyOf: [{ $ref: '#/$defs/x' }, { type: 'null' }] } },
      required: ['a'],
      $defs: { x: { type: 'object', properties: { b: { type: 'string' } }, additionalProperties: false } },
      additionalProperties: false,
    });
  });

  it('is Gemini’s part of JSON Schema at Gemini', () => {
    const schema = {
      type: 'object',
      properties: { kind: { const: 'a' }, n: { type: 'integer', minimum: 1 }, s: { type: 'string', pattern: '^a' } },
      required: ['kind'],
    };
    const config = written('openai-chat', 'gemini-generate', chatFormat(schema))['generationConfig'] as JsonObject;
    expect(config['responseJsonSchema']).toEqual({
      type: 'object',
      properties: { kind: { enum: ['a'] }, n: { type: 'integer', minimum: 1 }, s: { type: 'string' } },
      required: ['kind'],
    });
  });
});

describe('names of tools', () => {
  const long = 'x'.repeat(80);
  const body = (name: string): object => ({
    model: 'm',
    messages: [
      ...ask,
      { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name, arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: 'ok' },
    ],
    tools: [
      { type: 'function', function: { name, parameters: {} } },
      { type: 'function', function: { name: '_2fa_check', parameters: {} } },
    ],
    tool_choice: { type: 'function', function: { name } },
  });

  it.each(['2fa_check', long, 'näme'])('are written in the target’s way everywhere, and put back: %s', (name) => {
    const result = translate('openai-chat', 'gemini-generate', body(name));
    if (!result.ok) throw new Error(JSON.stringify(result.unsupported));
    const [[made, original]] = [...result.names] as [[string, string]];
    expect(original).toBe(name);
    expect(made).toMatch(/^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/);
    expect(made).not.toBe('_2fa_check');
    const text = result.body.toString();
    expect(text).not.toContain(`"${name}"`);
    expect(text.split(`"${made}"`)).toHaveLength(5);
    const call = {
      candidates: [{ content: { role: 'model', parts: [{ functionCall: { name: made, args: {} } }] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1 },
    };
    const options = { model: 'm', id: 'd', created: 1, names: result.names };
    expect(translateAnswer('gemini-generate', 'openai-chat', 200, Buffer.from(JSON.stringify(call)), options).body.toString()).toContain(
      `"name":${JSON.stringify(name)}`,
    );
    const stream = new AnswerTranslator('gemini-generate', 'openai-chat', options);
    expect(stream.push(Buffer.from(`data: ${JSON.stringify(call)}\n\n`)).toString() + stream.end(true).toString()).toContain(
      `"name":${JSON.stringify(name)}`,
    );
  });

  it('that fit stay', () => {
    const result = translate('openai-chat', 'anthropic-messages', chatTool({}, 'look_up'));
    expect(result.ok && result.names.size).toBe(0);
  });
});

describe('what agents send along', () => {
  const neutral = ['context_management', 'client_metadata', 'verbosity', 'topK', 'top_k', 'topP'];

  it('is no obstacle', () => {
    const codex = {
      model: 'm',
      input: 'x',
      client_metadata: { a: 'b' },
      text: { verbosity: 'low' },
      tools: [{ type: 'function', name: 'shell', parameters: { type: 'object', properties: {} } }, { type: 'web_search' }],
    };
    const crossed = written('openai-responses', 'anthropic-messages', codex, neutral);
    expect(crossed.dropped).toEqual(expect.arrayContaining(['tools.web_search']));
    expect((crossed['tools'] as readonly unknown[]).length).toBe(1);
    expect(
      translate(
        'anthropic-messages',
        'openai-chat',
        { model: 'm', max_tokens: 9, messages: ask, context_management: { edits: [] } },
        neutral,
      ).ok,
    ).toBe(true);
    expect(
      translate(
        'gemini-generate',
        'openai-chat',
        { contents: [{ parts: [{ text: 'x' }] }], generationConfig: { topK: 64, topP: 0.95 } },
        neutral,
      ).ok,
    ).toBe(true);
  });

  it('a hosted tool alone still is one', () =>
    expect(
      translate('openai-responses', 'anthropic-messages', { model: 'm', input: 'x', tools: [{ type: 'web_search' }] }, neutral).ok,
    ).toBe(false));
});

it('white space alone is not sent to Anthropic', () => {
  const body = {
    model: 'm',
    messages: [
      { role: 'system', content: '  ' },
      { role: 'user', content: 'x' },
      { role: 'assistant', content: '\n' },
      {
        role: 'user',
        content: [
          { type: 'text', text: ' ' },
          { type: 'text', text: 'y' },
        ],
      },
    ],
  };
  const crossed = written('openai-chat', 'anthropic-messages', body);
  expect(crossed['system']).toBeUndefined();
  expect(crossed['messages']).toEqual([
    { role: 'user', content: 'x' },
    { role: 'user', content: 'y' },
  ]);
});

it('a provider that takes less than its API has gets less', () => {
  const body = Buffer.from(JSON.stringify({ model: 'm', max_tokens: 9, metadata: { user_id: 'u' }, messages: ask }));
  const result = translateRequest('anthropic-messages', 'openai-chat', body, {
    model: 'mistral-small-latest',
    stream: false,
    drop: ['metadata', 'user'],
    provider: 'mistral',
  });
  expect(result.ok && JSON.parse(result.body.toString())).toEqual({
    model: 'mistral-small-latest',
    messages: [{ role: 'user', content: 'x' }],
    max_tokens: 9,
  });
});
