import { describe, expect, it } from 'vitest';
import { canTranslate, neutralDrops, translateRequest } from './translate.ts';
import { refused, translate } from './testing/requests.ts';

const haiku = { model: 'claude-haiku-4-5' };
const gpt = { model: 'gpt-4.1' };
const png = 'iVBORw0KGgo=';
const weather = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };

const openaiBody = {
  model: 'gpt-5.1',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'developer', content: [{ type: 'text', text: 'Use tools.' }] },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this, and the weather in Rome and Oslo?' },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
        { type: 'image_url', image_url: { url: 'https://example.org/cat.jpg', detail: 'auto' } },
        { type: 'file', file: { filename: 'note.pdf', file_data: `data:application/pdf;base64,${png}` } },
      ],
    },
    {
      role: 'assistant',
      content: 'I look.',
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
        { id: 'call_2', type: 'function', function: { name: 'weather', arguments: '' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
    { role: 'tool', tool_call_id: 'call_2', content: [{ type: 'text', text: 'snow' }] },
    { role: 'user', content: 'And?' },
  ],
  tools: [{ type: 'function', function: { name: 'weather', description: 'The weather', parameters: weather, strict: true } }],
  tool_choice: 'required',
  parallel_tool_calls: false,
  max_completion_tokens: 512,
  temperature: 0.5,
  stop: 'END',
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: weather, strict: true } },
  user: 'user-7',
  n: 1,
  store: false,
  stream: false,
};

const anthropicBody = {
  model: 'claude-haiku-4-5',
  max_tokens: 512,
  system: [
    { type: 'text', text: 'Be brief.' },
    { type: 'text', text: 'Use tools.' },
  ],
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this, and the weather in Rome and Oslo?' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
        { type: 'image', source: { type: 'url', url: 'https://example.org/cat.jpg' } },
        { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: png }, title: 'note.pdf' },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Rome' } },
        { type: 'tool_use', id: 'call_2', name: 'weather', input: {} },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'call_1', content: 'sunny' },
        { type: 'tool_result', tool_use_id: 'call_2', content: 'snow' },
        { type: 'text', text: 'And?' },
      ],
    },
  ],
  tools: [{ name: 'weather', description: 'The weather', input_schema: weather, strict: true }],
  tool_choice: { type: 'any', disable_parallel_tool_use: true },
  temperature: 0.5,
  stop_sequences: ['END'],
  output_config: { format: { type: 'json_schema', schema: weather } },
  metadata: { user_id: 'user-7' },
};

describe('OpenAI chat to Anthropic', () => {
  it('carries everything that both sides have', () => {
    expect(translate('openai-chat', 'anthropic-messages', openaiBody, haiku)).toEqual(anthropicBody);
  });

  it('names its path and headers, and asks for the stream', () => {
    const result = translateRequest('openai-chat', 'anthropic-messages', Buffer.from(JSON.stringify(openaiBody)), {
      ...haiku,
      stream: true,
      drop: [],
    });
    expect(result).toMatchObject({ ok: true, path: '/v1/messages', headers: { 'anthropic-version': '2023-06-01' }, dropped: [] });
    expect(result.ok && (JSON.parse(result.body.toString()) as { stream: boolean }).stream).toBe(true);
  });

  it('keeps numbers that JavaScript cannot hold', () => {
    const schema = '{"type":"object","properties":{"id":{"const":9007199254740993,"maximum":1.0e30}}}';
    const args = '{"id":9007199254740993,"one":1.0,"far":1e400}';
    const body = `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":${JSON.stringify(args)}}}]},{"role":"tool","tool_call_id":"a","content":"y"}],"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]}`;
    const result = translateRequest('openai-chat', 'anthropic-messages', Buffer.from(body), { ...haiku, stream: false, drop: [] });
    expect(result.ok && result.body.toString()).toContain(`"input":${args}`);
    expect(result.ok && result.body.toString()).toContain(`"input_schema":${schema}`);
    const back = translateRequest('anthropic-messages', 'openai-chat', result.ok ? result.body : Buffer.alloc(0), {
      ...gpt,
      stream: false,
      drop: [],
    });
    expect(back.ok && back.body.toString()).toContain(`"arguments":${JSON.stringify(args)}`);
    expect(back.ok && back.body.toString()).toContain(`"parameters":${schema}`);
  });

  it('gives max_tokens, which Anthropic demands, where the caller gives none', () => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'x' }] };
    expect(translate('openai-chat', 'anthropic-messages', body, haiku)['max_tokens']).toBe(32_000);
    expect(translate('openai-chat', 'anthropic-messages', body, { model: 'claude-3-haiku-20240307' })['max_tokens']).toBe(4_096);
    expect(translate('openai-chat', 'anthropic-messages', body, { ...haiku, defaultMaxTokens: 777 })['max_tokens']).toBe(777);
  });

  it('brings a limit down to what the model can say', () => {
    const body = { model: 'm', max_tokens: 64_000, messages: [{ role: 'user', content: 'x' }] };
    expect(
      translate('anthropic-messages', 'openai-chat', body, { model: 'gpt-4o', maxOutputTokens: 16_384 })['max_completion_tokens'],
    ).toBe(16_384);
    expect(
      translate('anthropic-messages', 'openai-chat', { ...body, max_tokens: 9 }, { model: 'gpt-4o', maxOutputTokens: 16_384 })[
        'max_completion_tokens'
      ],
    ).toBe(9);
    expect(
      translate('openai-chat', 'anthropic-messages', { model: 'm', messages: body.messages }, { ...haiku, maxOutputTokens: 5_000 })[
        'max_tokens'
      ],
    ).toBe(5_000);
  });

  it.each([
    [{ n: 2 }, 'n'],
    [{ logprobs: true }, 'logprobs'],
    [{ logit_bias: { 50256: -100 } }, 'logit_bias'],
    [{ seed: 7 }, 'seed'],
    [{ frequency_penalty: 0.5 }, 'frequency_penalty'],
    [{ response_format: { type: 'json_object' } }, 'response_format'],
    [{ temperature: 1.5 }, 'temperature'],
    [{ top_p: 0.9, temperature: 0.2 }, 'top_p'],
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ metadata: { team: 'x' } }, 'metadata'],
    [{ something_new: true }, 'something_new'],
    [{ tools: [{ type: 'custom', custom: { name: 'x' } }] }, 'tools[]'],
    [{ messages: [{ role: 'user', name: 'ann', content: 'x' }] }, 'messages[].name'],
    [
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } },
              { type: 'text', text: 'x' },
            ],
          },
        ],
      },
      'messages[].content[]',
    ],
  ])('refuses what Anthropic has not (%j), or drops it and says so', (extra, path) => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'x' }], ...extra };
    expect(refused('openai-chat', 'anthropic-messages', body, haiku)).toEqual([path]);
    const result = translateRequest('openai-chat', 'anthropic-messages', Buffer.from(JSON.stringify(body)), {
      ...haiku,
      stream: false,
      drop: [path],
    });
    expect(result).toMatchObject({ ok: true, dropped: [path] });
  });

  it('takes values that say nothing as nothing', () => {
    const body = {
      model: 'm',
      messages: [{ role: 'user', content: 'x' }],
      n: 1,
      logprobs: false,
      presence_penalty: 0,
      service_tier: 'auto',
      modalities: ['text'],
      seed: null,
      logit_bias: {},
      stop: [],
    };
    expect(refused('openai-chat', 'anthropic-messages', body, haiku)).toEqual([]);
  });

  it('never drops what would change the conversation', () => {
    const broken = {
      model: 'm',
      messages: [
        { role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{"a":' } }] },
        { role: 'tool', tool_call_id: 'a', content: 'x' },
      ],
    };
    expect(refused('openai-chat', 'anthropic-messages', broken, { ...haiku, drop: ['messages'] })).toEqual([
      'messages[].tool_calls[].function.arguments',
    ]);
  });

  it('makes ids that Anthropic takes, the same for call and result', () => {
    const id = 'call|with:odd/characters';
    const body = {
      model: 'm',
      messages: [
        { role: 'assistant', tool_calls: [{ id, type: 'function', function: { name: 'f', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: id, content: 'x' },
      ],
    };
    const { messages } = translate('openai-chat', 'anthropic-messages', body, haiku) as {
      messages: { content: Record<string, string>[] }[];
    };
    expect(messages[0]!.content[0]!['id']).toMatch(/^[a-zA-Z0-9_-]+$/);
    expect(messages[1]!.content[0]!['tool_use_id']).toBe(messages[0]!.content[0]!['id']);
  });

  it('sends a system message between the turns where the model takes one', () => {
    const body = {
      model: 'm',
      messages: [
        { role: 'user', content: 'x' },
        { role: 'system', content: 'Now in French.' },
      ],
    };
    expect(translate('openai-chat', 'anthropic-messages', body, { model: 'claude-opus-4-8' })['messages']).toEqual(body.messages);
    expect(refused('openai-chat', 'anthropic-messages', body, haiku)).toEqual(['messages[].role']);
    expect(translate('openai-chat', 'anthropic-messages', body, { ...haiku, drop: ['messages[].role'] })['messages']).toEqual([
      body.messages[0],
      { role: 'user', content: 'Now in French.' },
    ]);
  });

  it.each([
    ['claude-haiku-4-5', 'medium', { thinking: { type: 'enabled', budget_tokens: 8_192 } }],
    ['claude-opus-4-5', 'high', { thinking: { type: 'enabled', budget_tokens: 16_000 }, output_config: { effort: 'high' } }],
    ['claude-sonnet-4-6', 'xhigh', { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } }],
    ['claude-opus-5', 'xhigh', { thinking: { type: 'adaptive' }, output_config: { effort: 'xhigh' } }],
    ['claude-opus-5', 'none', { thinking: { type: 'disabled' } }],
    ['claude-opus-4-6', 'none', {}],
  ])('asks %s to think as hard as %s', (model, effort, expected) => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'x' }], reasoning_effort: effort };
    const { thinking, output_config } = translate('openai-chat', 'anthropic-messages', body, { model });
    expect({ thinking, output_config }).toEqual({ thinking: undefined, output_config: undefined, ...expected });
  });

  it.each([
    ['claude-opus-5-5', { reasoning_effort: 'none' }, ['reasoning_effort']],
    ['claude-3-5-haiku-20241022', { reasoning_effort: 'low' }, ['reasoning_effort']],
    ['claude-opus-4-7', { temperature: 0.2 }, ['temperature']],
    ['claude-opus-5-5', { tool_choice: 'required' }, ['tool_choice']],
    ['claude-haiku-4-5', { tool_choice: 'required', reasoning_effort: 'high' }, ['reasoning_effort']],
    ['claude-3-haiku-20240307', { response_format: openaiBody.response_format }, ['response_format']],
  ])('knows what %s does not take: %j', (model, extra, paths) => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'x' }], tools: openaiBody.tools, ...extra };
    expect(refused('openai-chat', 'anthropic-messages', body, { model })).toEqual(paths);
  });
});

describe('Anthropic to OpenAI chat', () => {
  it('carries everything that both sides have', () => {
    const expected = { ...openaiBody, model: 'gpt-4.1', stop: ['END'] } as Record<string, unknown>;
    for (const key of ['n', 'store', 'stream']) Reflect.deleteProperty(expected, key);
    const [, , user, assistant, first, , last] = openaiBody.messages;
    const parts = (user!.content as Record<string, unknown>[]).map((part) =>
      part['type'] === 'image_url' && JSON.stringify(part).includes('example.org')
        ? { type: 'image_url', image_url: { url: 'https://example.org/cat.jpg' } }
        : part,
    );
    const calls = [assistant!.tool_calls![0], { id: 'call_2', type: 'function', function: { name: 'weather', arguments: '{}' } }];
    expected['messages'] = [
      { role: 'system', content: 'Be brief.\n\nUse tools.' },
      { role: 'user', content: parts },
      { role: 'assistant', content: 'I look.', tool_calls: calls },
      first,
      { role: 'tool', tool_call_id: 'call_2', content: 'snow' },
      last,
    ];
    expect(translate('anthropic-messages', 'openai-chat', anthropicBody, gpt)).toEqual(expected);
  });

  it('asks for the usage of a stream, which Anthropic always sends', () => {
    const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] };
    expect(translate('anthropic-messages', 'openai-chat', body, { ...gpt, stream: true })).toMatchObject({
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('names the limit as the model wants it', () => {
    const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] };
    expect(translate('anthropic-messages', 'openai-chat', body, gpt)).toMatchObject({ max_completion_tokens: 9 });
    expect(translate('anthropic-messages', 'openai-chat', body, { model: 'llama-3.3-70b' })).toMatchObject({ max_tokens: 9 });
  });

  it.each([
    [{ top_k: 5 }, 'top_k'],
    [{ tools: [{ type: 'bash_20250124', name: 'bash' }] }, 'tools[]'],
    [{ system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }] }, 'system[].cache_control'],
    [
      {
        messages: [
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'x', signature: 'y' },
              { type: 'text', text: 'z' },
            ],
          },
          { role: 'user', content: 'x' },
        ],
      },
      'messages[].content[].thinking_blocks',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: 'x', is_error: true }] }] },
      'messages[].content[].is_error',
    ],
    [{ mcp_servers: [] }, 'mcp_servers'],
  ])('refuses what OpenAI has not (%j), or drops it and says so', (extra, path) => {
    const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }], ...extra };
    expect(refused('anthropic-messages', 'openai-chat', body, gpt)).toEqual([path]);
    expect(refused('anthropic-messages', 'openai-chat', body, { ...gpt, drop: [path] })).toEqual([]);
  });

  it('leaves out at will what does not change the question', () => {
    const body = {
      model: 'm',
      max_tokens: 9,
      system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }] }],
      tools: [{ name: 'f', input_schema: { type: 'object' }, cache_control: { type: 'ephemeral' } }],
    };
    const result = translateRequest('anthropic-messages', 'openai-chat', Buffer.from(JSON.stringify(body)), {
      ...gpt,
      stream: false,
      drop: neutralDrops,
    });
    expect(result).toMatchObject({
      ok: true,
      dropped: ['system[].cache_control', 'messages[].content[].cache_control', 'tools[].cache_control'],
    });
  });

  it('refuses to continue an answer that is begun', () => {
    const body = {
      model: 'm',
      max_tokens: 9,
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: 'The answer is (' },
      ],
    };
    expect(refused('anthropic-messages', 'openai-chat', body, { ...gpt, drop: ['messages'] })).toEqual(['messages[]']);
  });

  it.each([
    ['gpt-5.1', { thinking: { type: 'enabled', budget_tokens: 10_000 } }, 'medium'],
    ['gpt-5', { thinking: { type: 'adaptive' }, output_config: { effort: 'max' } }, 'high'],
    ['gpt-5.2', { output_config: { effort: 'xhigh' } }, 'xhigh'],
    ['gpt-5.1', { thinking: { type: 'disabled' } }, 'none'],
    ['gpt-4.1', { thinking: { type: 'disabled' } }, undefined],
  ])('asks %s to think: %j', (model, extra, effort) => {
    const body = { model: 'm', max_tokens: 20_000, messages: [{ role: 'user', content: 'x' }], ...extra };
    expect(translate('anthropic-messages', 'openai-chat', body, { model })['reasoning_effort']).toBe(effort);
  });
});

describe('what cannot be read', () => {
  it.each([
    '',
    'null',
    '[]',
    '{',
    '{"messages":7}',
    '{"messages":[]}',
    '{"messages":[{}]}',
    '{"messages":[{"role":"user","content":{}}]}',
    '\u0000',
    `{"messages":${'['.repeat(600)}${']'.repeat(600)}}`,
  ])('is refused, not thrown: %j', (body) => {
    expect(refused('openai-chat', 'anthropic-messages', body, haiku)).toHaveLength(1);
    expect(refused('anthropic-messages', 'openai-chat', body, gpt)).toHaveLength(1);
  });

  it('is not UTF-8', () => {
    const body = Buffer.concat([Buffer.from('{"messages":[{"role":"user","content":"'), Buffer.from([0xff]), Buffer.from('"}]}')]);
    expect(translateRequest('openai-chat', 'anthropic-messages', body, { ...haiku, stream: false, drop: [] }).ok).toBe(false);
  });
});

describe('canTranslate', () => {
  const facts = { n: 1, audioInputs: 0, audioOutput: false, jsonOutput: 'none' } as const;
  it.each([
    ['openai-chat', 'anthropic-messages', facts, true],
    ['openai-chat', 'openai-chat', { ...facts, n: 4 }, true],
    ['openai-embeddings', 'anthropic-messages', undefined, false],
    ['openai-chat', 'bedrock', undefined, false],
    ['openai-chat', 'anthropic-messages', { ...facts, n: 2 }, false],
    ['openai-chat', 'anthropic-messages', { ...facts, audioInputs: 1 }, false],
    ['openai-chat', 'anthropic-messages', { ...facts, jsonOutput: 'object' }, false],
    ['openai-chat', 'anthropic-messages', { ...facts, jsonOutput: 'schema' }, true],
  ] as const)('%s to %s, %j: %s', (from, to, exchange, expected) => {
    expect(canTranslate(from, to, exchange)).toBe(expected);
  });

  it('leaves it to the body where the policy drops something', () => {
    expect(canTranslate('openai-chat', 'anthropic-messages', { ...facts, n: 2 }, ['n'])).toBe(true);
    expect(canTranslate('openai-chat', 'anthropic-messages', { ...facts, n: 2 }, neutralDrops)).toBe(false);
  });
});
