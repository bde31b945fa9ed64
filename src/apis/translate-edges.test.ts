import { describe, expect, it } from 'vitest';
import { AnswerTranslator, translateAnswer, translateRequest, type AnswerOptions } from './translate.ts';

const user = { role: 'user', content: 'x' };
const fn = (name: string, parameters: object = { type: 'object', properties: {} }, description?: string): object => ({
  type: 'function',
  function: { name, parameters, ...(description === undefined ? {} : { description }) },
});

function toAnthropic(body: object): Record<string, unknown> | readonly string[] {
  const written = translateRequest(
    'openai-chat',
    'anthropic-messages',
    Buffer.from(JSON.stringify({ model: 'm', messages: [user], ...body })),
    { model: 'claude-sonnet-4-5', stream: false, drop: [] },
  );
  return written.ok ? (JSON.parse(written.body.toString()) as Record<string, unknown>) : written.unsupported.map(({ path }) => path);
}

describe('what Anthropic refuses in a request of OpenAI’s chat', () => {
  const called = [
    user,
    { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }] },
    { role: 'tool', tool_call_id: 'c', content: 'y' },
  ];

  it('defines the tools that were called earlier where none is offered any more', () => {
    expect(toAnthropic({ messages: called })).toMatchObject({
      tools: [{ name: 'f', input_schema: { type: 'object', properties: {} } }],
      tool_choice: { type: 'none' },
    });
  });

  it.each([
    ['high', true],
    ['low', false],
  ])('takes pictures in the detail %s (%s): it sees all of them', (detail, taken) => {
    const picture = { type: 'image_url', image_url: { url: 'https://x.example/a.png', detail } };
    const written = toAnthropic({ messages: [{ role: 'user', content: [picture] }] });
    if (taken) expect(written).toMatchObject({ messages: [{ content: [{ type: 'image' }] }] });
    else expect(written).toEqual(['messages[].content[].detail']);
  });

  it('says no empty description', () => {
    expect(JSON.stringify(toAnthropic({ tools: [fn('f', undefined, '')] }))).not.toContain('description');
  });

  it.each([
    ['two tools of one name', { tools: [fn('f'), fn('f')] }, ['tools[]']],
    [
      'a member with a space',
      { tools: [fn('f', { type: 'object', properties: { 'a b': { type: 'string' } } })] },
      ['tools[].parameters.properties'],
    ],
    [
      'a picture by HTTP',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://x.test/a.png' } }] }] },
      ['messages[].content[]'],
    ],
  ])('%s goes to nobody there', (_what, body, paths) => expect(toAnthropic(body)).toEqual(paths));
});

describe('what a Gemini model refuses in a request of OpenAI’s chat', () => {
  const sampling = { temperature: 0.5, frequency_penalty: 0.5, presence_penalty: 0.3, seed: 7 };
  const written = (model: string, drop: readonly string[], body: object = sampling): ReturnType<typeof translateRequest> =>
    translateRequest('openai-chat', 'gemini-generate', Buffer.from(JSON.stringify({ model: 'm', messages: [user], ...body })), {
      model,
      stream: false,
      drop,
    });

  it('is named where it may not be dropped, and left out where it may', () => {
    expect(written('gemini-2.5-flash', [])).toMatchObject({
      ok: false,
      unsupported: [{ path: 'frequency_penalty' }, { path: 'presence_penalty' }],
    });
    const dropped = written('gemini-2.5-flash', ['frequency_penalty', 'presence_penalty']);
    if (!dropped.ok) throw new Error('refused');
    expect((JSON.parse(dropped.body.toString()) as { readonly generationConfig: object }).generationConfig).toEqual({
      temperature: 0.5,
      seed: 7,
    });
  });

  it('goes to one that takes it, and nobody minds a penalty of 0', () => {
    const old = written('gemini-2.0-flash', []);
    if (!old.ok) throw new Error('refused');
    expect(JSON.parse(old.body.toString())).toMatchObject({ generationConfig: { frequencyPenalty: 0.5, presencePenalty: 0.3 } });
    expect(written('gemini-2.5-flash', [], { frequency_penalty: 0, presence_penalty: 0 }).ok).toBe(true);
  });
});

const options: AnswerOptions = { model: 'm', id: 'd', created: 1 };
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

describe('calls as servers that are like OpenAI’s write them', () => {
  const whole = (message: object): string =>
    translateAnswer(
      'openai-chat',
      'anthropic-messages',
      200,
      Buffer.from(JSON.stringify({ id: 'a', choices: [{ index: 0, message, finish_reason: 'stop' }] })),
      options,
    ).body.toString();

  it('reads arguments that are an object', () => {
    expect(whole({ tool_calls: [{ id: 'c', function: { name: 'f', arguments: { p: 1 } } }] })).toContain('"input":{"p":1}');
  });

  it('reads the one call of old', () => {
    expect(whole({ content: null, function_call: { name: 'f', arguments: '{"p":1}' } })).toContain('"name":"f","input":{"p":1}');
  });

  it('waits for a name that comes after the id', () => {
    const translator = new AnswerTranslator('openai-chat', 'anthropic-messages', options);
    const said = [
      chunk({ tool_calls: [{ index: 0, id: 'c0', type: 'function', function: { arguments: '' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { name: 'f', arguments: '{"p"' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
      chunk({}, 'tool_calls'),
      'data: [DONE]\n\n',
    ].map((text) => translator.push(Buffer.from(text)).toString());
    const all = said.join('') + translator.end(true).toString();
    expect(all).toContain('"id":"c0","name":"f"');
    expect(all).toContain('{\\"p\\"');
    expect(all).toContain(':1}');
  });
});

describe('Gemini’s requests and models', () => {
  const fromGemini = (body: object): unknown => {
    const written = translateRequest('gemini-generate', 'openai-chat', Buffer.from(JSON.stringify(body)), {
      model: 'gpt-4.1',
      stream: false,
      drop: [],
    });
    return written.ok ? JSON.parse(written.body.toString()) : written.unsupported.map(({ path }) => path);
  };

  it('may have one part where a list is usual', () => {
    expect(fromGemini({ system_instruction: { parts: { text: 'Be kind.' } }, contents: { parts: { text: 'hi' } } })).toMatchObject({
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'hi' },
      ],
    });
  });

  it('cross with filters that block nothing, and not with others', () => {
    const contents = [{ parts: [{ text: 'hi' }] }];
    const filters = (threshold: string): object => ({ contents, safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold }] });
    for (const threshold of ['OFF', 'BLOCK_NONE']) expect(fromGemini(filters(threshold))).toMatchObject({ model: 'gpt-4.1' });
    expect(fromGemini(filters('BLOCK_LOW_AND_ABOVE'))).toEqual(['safetySettings']);
  });

  it('close the objects of an answer, so that OpenAI keeps to the schema', () => {
    const inner = { type: 'OBJECT', properties: { b: { type: 'INTEGER' } }, required: ['b'] };
    const responseSchema = { type: 'OBJECT', properties: { a: { type: 'ARRAY', items: inner } }, required: ['a'], propertyOrdering: ['a'] };
    const contents = [{ parts: [{ text: 'hi' }] }];
    expect(fromGemini({ contents, generationConfig: { responseMimeType: 'application/json', responseSchema } })).toMatchObject({
      response_format: {
        json_schema: {
          strict: true,
          schema: { additionalProperties: false, properties: { a: { items: { type: 'object', additionalProperties: false } } } },
        },
      },
    });
  });

  it.each([
    ['gemini-2.5-flash', { type: 'json_object' }, ['response_format']],
    ['gemini-2.5-flash', { type: 'text' }, null],
    ['gemini-3.1-pro-preview', { type: 'json_object' }, null],
  ])('%s beside tools, %j: refused %j', (model, response_format, refused) => {
    const body = { model: 'm', messages: [user], tools: [fn('f')], response_format };
    const written = translateRequest('openai-chat', 'gemini-generate', Buffer.from(JSON.stringify(body)), {
      model,
      stream: false,
      drop: [],
    });
    expect(written.ok ? null : written.unsupported.map(({ path }) => path)).toEqual(refused);
  });
});

describe('functions for OpenAI’s newest models, which do not think beside them in chat completions', () => {
  const body = (more: object): Buffer =>
    Buffer.from(
      JSON.stringify({
        model: 'm',
        max_tokens: 9_000,
        messages: [user],
        tools: [{ name: 'f', input_schema: { type: 'object' } }],
        ...more,
      }),
    );
  const written = (model: string, more: object, drop: readonly string[] = []): unknown => {
    const result = translateRequest('anthropic-messages', 'openai-chat', body(more), { model, stream: false, drop });
    if (!result.ok) return result.unsupported.map(({ path }) => path);
    const { reasoning_effort: effort, temperature } = JSON.parse(result.body.toString()) as Record<string, unknown>;
    return [effort, temperature, result.dropped];
  };
  const thinking = { thinking: { type: 'enabled', budget_tokens: 2_000 } };

  it.each<[string, object, readonly string[], unknown]>([
    ['gpt-5.2', {}, [], [undefined, undefined, []]],
    ['gpt-5.6-luna', {}, [], ['none', undefined, []]],
    ['gpt-5.6-luna', { temperature: 0.2 }, [], ['none', 0.2, []]],
    ['gpt-5.4', thinking, [], ['thinking']],
    ['gpt-5.4', thinking, ['thinking'], ['none', undefined, ['thinking']]],
    ['gpt-5.6-luna', { ...thinking, tools: [] }, [], ['low', undefined, []]],
    ['gpt-6-astra', {}, ['tools'], ['tools']],
  ])('%s, %j, without %j: %j', (model, more, drop, expected) => expect(written(model, more, drop)).toEqual(expected));
});

describe('JSON schemas of older drafts', () => {
  const parameters = {
    type: 'object',
    properties: {
      pair: { type: 'array', items: [{ type: 'string' }, { type: 'integer' }], additionalItems: { type: 'null' } },
      more: { type: 'integer', minimum: 0, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false, required: true },
    },
    required: ['pair', 'gone'],
  };

  it('are written as the newest draft, which Anthropic requires', () => {
    expect(toAnthropic({ tools: [fn('f', parameters)] })).toMatchObject({
      tools: [
        {
          input_schema: {
            properties: {
              pair: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: { type: 'null' } },
              more: { type: 'integer', exclusiveMinimum: 0, maximum: 9 },
            },
            required: ['pair', 'gone'],
          },
        },
      ],
    });
  });

  it('require what they define, where Gemini refuses anything else', () => {
    const written = translateRequest(
      'openai-chat',
      'gemini-generate',
      Buffer.from(JSON.stringify({ model: 'm', messages: [user], tools: [fn('f', parameters)] })),
      { model: 'gemini-2.5-flash', stream: false, drop: [] },
    );
    expect(written.ok && written.body.toString()).toContain('"required":["pair"]');
  });
});

describe('what Anthropic’s callers show', () => {
  const written = (content: readonly object[]): unknown => {
    const body = Buffer.from(JSON.stringify({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content }] }));
    const result = translateRequest('anthropic-messages', 'openai-chat', body, { model: 'gpt-4.1', stream: false, drop: [] });
    if (!result.ok) return result.unsupported.map(({ path }) => path);
    return (JSON.parse(result.body.toString()) as { messages: readonly { content: unknown }[] }).messages[0]!.content;
  };
  const words = [
    { type: 'text', text: 'one' },
    { type: 'text', text: 'two' },
  ];

  it.each<[object, unknown]>([
    [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'A' }, title: 'T', context: 'C' }, 'T\n\nC\n\nA'],
    [{ type: 'document', source: { type: 'content', content: words } }, 'one\n\ntwo'],
    [
      { type: 'search_result', source: 'https://x.test', title: 'T', content: words, citations: { enabled: false } },
      'T, https://x.test\n\none\n\ntwo',
    ],
  ])('in words is words: %j', (block, expected) => {
    expect(JSON.stringify(written([block]))).toContain(JSON.stringify(expected));
  });

  it('is left out by nobody where it is no words, or is to be cited', () => {
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } };
    expect(written([{ type: 'document', source: { type: 'content', content: [image] } }])).toEqual(['messages[].content[].source']);
    expect(written([{ type: 'search_result', source: 's', title: 'T', content: words, citations: { enabled: true } }])).toEqual([
      'messages[].content[].citations',
    ]);
  });
});

it('names pictures as they are registered', () => {
  const picture = { type: 'image_url', image_url: { url: 'data:image/jpg;base64,/9j/4AAQ' } };
  expect(toAnthropic({ messages: [{ role: 'user', content: [picture] }] })).toMatchObject({
    messages: [{ content: [{ source: { media_type: 'image/jpeg' } }] }],
  });
});

it.each([
  ['anthropic-messages', 'claude-sonnet-4-5', 'messages'],
  ['gemini-generate', 'gemini-2.5-flash', 'contents'],
] as const)('a system prompt alone is a user’s message for %s', (api, model, member) => {
  const body = Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'system', content: 'Say hi.' }] }));
  const options = { model, stream: false };
  expect(translateRequest('openai-chat', api, body, { ...options, drop: [] })).toMatchObject({ ok: false });
  const written = translateRequest('openai-chat', api, body, { ...options, drop: ['messages[].role'] });
  if (!written.ok) throw new Error(JSON.stringify(written.unsupported));
  const turns = (JSON.parse(written.body.toString()) as Record<string, readonly { role: string }[]>)[member]!;
  expect([turns.map(({ role }) => role), written.dropped]).toEqual([['user'], ['messages[].role']]);
});

it('a whole answer without a reason for its end is an answer, if it has content', () => {
  const options: AnswerOptions = { id: 'x', model: 'm', created: 1 };
  const read = (content: readonly object[]): unknown => {
    const body = Buffer.from(JSON.stringify({ id: 'm', type: 'message', role: 'assistant', model: 'c', content, stop_reason: null }));
    const { status, body: answer } = translateAnswer('anthropic-messages', 'openai-chat', 200, body, options);
    return [status, answer.toString().includes('"finish_reason":"stop"')];
  };
  expect([read([{ type: 'text', text: 'fine' }]), read([])]).toEqual([
    [200, true],
    [500, false],
  ]);
});
