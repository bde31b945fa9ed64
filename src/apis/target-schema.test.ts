import { describe, expect, it } from 'vitest';
import type { ApiName } from './types.ts';
import type { JsonObject } from './common/json.ts';
import { translateAnswer, translateRequest, AnswerTranslator } from './translate.ts';

const models: Readonly<Partial<Record<ApiName, string>>> = {
  'openai-chat': 'gpt-4.1',
  'anthropic-messages': 'claude-sonnet-4-5',
  'gemini-generate': 'gemini-2.5-flash',
  'cohere-chat': 'command-a-03-2025',
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

/** An object whose members are all required, and no others are there. */
const closed = (properties: object): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const wanted: Readonly<Record<string, (body: JsonObject) => unknown>> = {
  'anthropic-messages': formatOf,
  'gemini-generate': (body) => (body['generationConfig'] as JsonObject)['responseJsonSchema'],
  'cohere-chat': (body) => (body['response_format'] as JsonObject)['json_schema'],
};
const schemaAt = (to: ApiName, schema: object, strict?: boolean): unknown =>
  wanted[to]!(written('openai-chat', to, chatFormat(schema, strict)));
const refusedAt = (to: ApiName, schema: object, from: ApiName = 'openai-chat'): readonly string[] => {
  const body =
    from === 'openai-chat'
      ? chatFormat(schema, true)
      : {
          contents: [{ role: 'user', parts: [{ text: 'x' }] }],
          generationConfig: { responseMimeType: 'application/json', responseJsonSchema: schema },
        };
  const result = translate(from, to, body);
  return result.ok ? [] : result.unsupported.map(({ path }) => path);
};

describe('the part of JSON Schema', () => {
  it.each<[string, object]>([
    ['a bound on a list', { type: 'array', items: { type: 'string' }, maxItems: 3 }],
    ['a bound on a number', { type: 'integer', minimum: 1 }],
    ['a format of its own', { type: 'string', format: 'int32' }],
    ['an expression that looks ahead', { type: 'string', pattern: '^(?=a)b$' }],
    ['an enum of objects', { enum: [{ a: 1 }] }],
  ])('of Anthropic and of Cohere has no %s', (_what, member) => {
    for (const to of ['anthropic-messages', 'cohere-chat'] as const) {
      expect(refusedAt(to, closed({ a: member }))).toHaveLength(1);
      const hinted = written('openai-chat', to, chatFormat(closed({ a: member })));
      const { a } = (wanted[to]!(hinted) as { readonly properties: { readonly a: object } }).properties;
      expect(Object.keys(a).filter((key) => key !== 'type' && key !== 'items')).toEqual([]);
      expect(hinted.dropped).toHaveLength(1);
    }
  });

  it('of Cohere has formats of dates, expressions without anchors, and a required member in each object', () => {
    const stated = {
      type: 'object',
      properties: {
        day: { type: 'string', format: 'date' },
        sku: { type: 'string', pattern: '^[A-Z]{3}\\$?$' },
        note: { type: ['string', 'null'], description: 'n' },
        kind: { enum: ['a', null], type: ['string', 'null'] },
      },
    };
    const hinted = written('openai-chat', 'cohere-chat', chatFormat(stated));
    expect(wanted['cohere-chat']!(hinted)).toEqual({
      type: 'object',
      properties: {
        day: { type: 'string', format: 'date' },
        sku: { type: 'string', pattern: '[A-Z]{3}\\$?' },
        note: { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'n' },
        kind: { anyOf: [{ type: 'string', enum: ['a'] }, { type: 'null' }] },
      },
      required: ['day'],
    });
    expect(hinted.dropped).toEqual(['response_format.schema.required']);
    expect(refusedAt('cohere-chat', closed({ a: closed({}) }))).toEqual(['response_format.schema.properties']);
    expect(refusedAt('cohere-chat', { type: 'array', items: { type: 'string' } })).toContain('response_format.schema.type');
  });

  it('of Gemini has definitions in $defs, references alone, and values that are words', () => {
    expect(
      schemaAt('gemini-generate', {
        type: 'object',
        properties: {
          a: { $ref: '#/definitions/x', description: 'the first' },
          kind: { type: ['string', 'null'], enum: ['a', null] },
          n: { const: 5 },
          none: { const: null },
          sure: { type: 'boolean', enum: [true, false] },
        },
        definitions: { x: { type: 'string', examples: ['y'] } },
      }),
    ).toEqual({
      type: 'object',
      properties: {
        a: { $ref: '#/$defs/x' },
        kind: { anyOf: [{ type: 'string', enum: ['a'] }, { type: 'null' }] },
        n: { enum: [5] },
        none: { type: 'null' },
        sure: { type: 'boolean' },
      },
      $defs: { x: { type: 'string' } },
    });
  });

  it('of Gemini contains itself only where it need not', () => {
    const list = (required: readonly string[]): object => ({
      type: 'object',
      properties: { first: { $ref: '#/$defs/node' } },
      required: ['first'],
      $defs: {
        node: {
          type: 'object',
          properties: { value: { type: 'string' }, next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } },
          required,
        },
      },
    });
    expect(refusedAt('gemini-generate', list(['value']))).toEqual([]);
    expect(refusedAt('gemini-generate', list(['value', 'next']))).toEqual(['response_format.schema']);
  });

  it('has alternatives and references as generators write them, at all', () => {
    const inner = closed({ b: { type: 'string' } });
    const generated = { $ref: '#/$defs/root', $defs: { root: closed({ a: { allOf: [{ $ref: '#/$defs/x' }], title: 'A' } }), x: inner } };
    expect(schemaAt('anthropic-messages', generated)).toMatchObject({
      type: 'object',
      properties: { a: { $ref: '#/$defs/x', title: 'A' } },
    });
    expect(schemaAt('gemini-generate', generated)).toMatchObject({ type: 'object', properties: { a: { $ref: '#/$defs/x' } } });
    expect(schemaAt('cohere-chat', generated)).toMatchObject({ type: 'object', properties: { a: { $ref: '#/$defs/x', title: 'A' } } });
    for (const to of ['anthropic-messages', 'gemini-generate', 'cohere-chat'] as const)
      expect(refusedAt(to, closed({ a: { $ref: 'https://example.com/x.json' } }))).toEqual(['response_format.schema.$ref']);
  });

  it('of OpenAI’s strict mode has no defaults, nothing beside a reference, and its own formats', () => {
    const asked = (schema: object): object => ({
      contents: [{ role: 'user', parts: [{ text: 'x' }] }],
      generationConfig: { responseMimeType: 'application/json', responseJsonSchema: schema },
    });
    const stated = {
      ...closed({ a: { $ref: '#/$defs/x', description: 'd' }, b: { type: 'string', default: 'x', examples: ['y'] } }),
      $defs: { x: closed({ c: { type: 'string', format: 'date' } }) },
    };
    const { response_format: format } = written('gemini-generate', 'openai-chat', asked(stated)) as { readonly response_format?: unknown };
    expect(format).toEqual({
      type: 'json_schema',
      json_schema: {
        name: 'answer',
        strict: true,
        schema: {
          ...closed({ a: { $ref: '#/$defs/x' }, b: { type: 'string' } }),
          $defs: { x: closed({ c: { type: 'string', format: 'date' } }) },
        },
      },
    });
    expect(refusedAt('openai-chat', closed({ a: { type: 'string', format: 'uri' } }), 'gemini-generate')).toHaveLength(1);
    expect(refusedAt('openai-chat', closed({ a: { type: 'array', items: {}, uniqueItems: true } }), 'gemini-generate')).toHaveLength(1);
    expect(refusedAt('openai-chat', { type: 'array', items: { type: 'string' } }, 'gemini-generate')).toContain(
      'generationConfig.responseMimeType.schema.type',
    );
  });

  it('of Anthropic is not larger than what it checks in one request', () => {
    const members = (count: number, member: object): object =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`m${at}`, member]));
    const optional = (count: number): object => ({
      type: 'object',
      properties: members(count, { type: 'string' }),
      additionalProperties: false,
    });
    expect(refusedAt('anthropic-messages', optional(24))).toEqual([]);
    expect(refusedAt('anthropic-messages', optional(25))).toEqual(['response_format.schema']);
    expect(refusedAt('anthropic-messages', closed(members(17, { type: ['string', 'null'] })))).toEqual(['response_format.schema']);
    const tools = (count: number): object => ({
      model: 'm',
      messages: ask,
      tools: Array.from({ length: count }, (_, at) => ({
        type: 'function',
        function: { name: `f${at}`, strict: true, parameters: closed({ a: { type: 'string' } }) },
      })),
    });
    expect(written('openai-chat', 'anthropic-messages', tools(20))['tools']).toHaveLength(20);
    expect(translate('openai-chat', 'anthropic-messages', tools(21))).toMatchObject({
      ok: false,
      unsupported: [{ path: 'tools[].strict' }],
    });
    expect(JSON.stringify(written('openai-chat', 'anthropic-messages', tools(21), ['strict'])['tools'])).not.toContain('strict');
  });

  it('of Cohere’s strict tools is that of its answers', () => {
    const tool = (parameters: object): object => ({
      model: 'm',
      messages: ask,
      tools: [{ type: 'function', function: { name: 'f', strict: true, parameters } }],
    });
    expect(written('openai-chat', 'cohere-chat', tool(closed({ a: { type: 'string' } })))['strict_tools']).toBe(true);
    const optional = { type: 'object', properties: { a: { type: 'string' } } };
    for (const parameters of [closed({ a: { type: 'array', items: { type: 'string' }, maxItems: 2 } }), optional])
      expect(translate('openai-chat', 'cohere-chat', tool(parameters))).toMatchObject({
        ok: false,
        unsupported: [{ path: 'tools[].strict' }],
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
