import { describe, expect, it } from 'vitest';
import { namesOf } from './openai/translate-read.ts';
import { canTranslate, neutralDrops, translateRequest } from './translate.ts';
import { refused, translate, translated } from './testing/requests.ts';

const haiku = { model: 'claude-haiku-4-5' };
const gpt = { model: 'gpt-4.1' };
const png = 'iVBORw0KGgo=';
const closed = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };

const body = {
  model: 'gpt-5.1',
  instructions: 'Be brief.',
  input: [
    { role: 'developer', content: 'Use tools.' },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'What is this?' },
        { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${png}` },
        { type: 'input_file', filename: 'note.pdf', file_data: `data:application/pdf;base64,${png}` },
      ],
    },
    {
      type: 'message',
      id: 'msg_1',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'I look.', annotations: [], logprobs: [] }],
    },
    { type: 'function_call', id: 'fc_1', status: 'completed', call_id: 'call_1', name: 'weather', arguments: '{"city":"Rome"}' },
    { type: 'function_call', id: 'fc_2', call_id: 'call_2', name: 'weather', arguments: '{"city":"Oslo"}' },
    { type: 'function_call_output', call_id: 'call_1', output: 'sunny' },
    { type: 'function_call_output', call_id: 'call_2', output: [{ type: 'input_text', text: 'snow' }] },
    { role: 'user', content: 'And?' },
  ],
  tools: [{ type: 'function', name: 'weather', description: 'The weather', parameters: closed }],
  tool_choice: { type: 'function', name: 'weather' },
  parallel_tool_calls: true,
  max_output_tokens: 512,
  temperature: 0.5,
  text: { format: { type: 'json_schema', name: 'answer', schema: closed, strict: true } },
  safety_identifier: 'user-7',
  store: false,
  truncation: 'disabled',
};

describe('OpenAI responses to Anthropic', () => {
  it('carries everything that both sides have', () => {
    expect(translate('openai-responses', 'anthropic-messages', body, haiku)).toEqual({
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
            { type: 'text', text: 'What is this?' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
            { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: png }, title: 'note.pdf' },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'I look.' },
            { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Rome' } },
            { type: 'tool_use', id: 'call_2', name: 'weather', input: { city: 'Oslo' } },
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
      // Strict by itself, since its schema allows it.
      tools: [{ name: 'weather', description: 'The weather', input_schema: closed, strict: true }],
      tool_choice: { type: 'tool', name: 'weather' },
      temperature: 0.5,
      output_config: { format: { type: 'json_schema', schema: closed } },
      metadata: { user_id: 'user-7' },
    });
  });

  it('takes a plain text', () => {
    expect(translate('openai-responses', 'openai-chat', { model: 'm', input: 'Hello' }, gpt)).toEqual({
      model: 'gpt-4.1',
      messages: [{ role: 'user', content: 'Hello' }],
    });
  });

  it.each([
    [{ previous_response_id: 'resp_1' }, 'previous_response_id'],
    [{ conversation: 'conv_1' }, 'conversation'],
    [{ prompt: { id: 'pmpt_1' } }, 'prompt'],
    [{ background: true }, 'background'],
    [
      {
        input: [
          { type: 'item_reference', id: 'msg_1' },
          { role: 'user', content: 'x' },
        ],
      },
      'input[]',
    ],
    [
      {
        input: [
          { type: 'function_call', call_id: 'a', name: 'f', arguments: '[1]' },
          { type: 'function_call_output', call_id: 'a', output: 'x' },
        ],
      },
      'input[].arguments',
    ],
  ])('never drops what is kept at OpenAI, or broken: %j', (extra, path) => {
    expect(refused('openai-responses', 'openai-chat', { model: 'm', input: 'x', ...extra }, { ...gpt, drop: [path, 'input'] })).toEqual([
      path,
    ]);
  });

  it.each([
    [{ store: true }, 'store'],
    [{ truncation: 'auto' }, 'truncation'],
    [{ include: ['reasoning.encrypted_content'] }, 'include'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[]'],
    [{ tool_choice: { type: 'file_search' } }, 'tool_choice'],
    [{ reasoning: { summary: 'auto' } }, 'reasoning.summary'],
    [
      {
        input: [
          { type: 'web_search_call', id: 'ws_1' },
          { role: 'user', content: 'x' },
        ],
      },
      'input[]',
    ],
    [
      {
        input: [
          { type: 'reasoning', id: 'rs_1', summary: [] },
          { role: 'user', content: 'x' },
        ],
      },
      'input[].reasoning_items',
    ],
    [
      {
        input: [
          {
            role: 'user',
            content: [
              { type: 'input_image', detail: 'auto', file_id: 'file_1' },
              { type: 'input_text', text: 'x' },
            ],
          },
        ],
      },
      'input[].content[]',
    ],
  ])('refuses what no other API has (%j), or drops it and says so', (extra, path) => {
    const request = { model: 'm', input: 'x', ...extra };
    expect(refused('openai-responses', 'anthropic-messages', request, haiku)).toContain(path);
    const result = translated('openai-responses', 'anthropic-messages', request, { ...haiku, drop: [path] });
    expect(result).toMatchObject({ ok: true });
    expect(result.ok && result.dropped).toContain(path);
  });

  it('leaves out at will what an agent sends back of its earlier thoughts', () => {
    const request = {
      ...body,
      store: true,
      include: ['reasoning.encrypted_content'],
      input: [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' }, ...body.input],
    };
    expect(refused('openai-responses', 'anthropic-messages', request, { ...haiku, drop: neutralDrops })).toEqual([]);
  });

  it('is no target', () => {
    expect(canTranslate('openai-responses', 'gemini-generate')).toBe(true);
    expect(canTranslate('openai-chat', 'openai-responses')).toBe(false);
    expect(translated('anthropic-messages', 'openai-responses', '{}', gpt).ok).toBe(false);
  });
});

describe('functions in a namespace, as Codex groups them', () => {
  const close = { type: 'function', name: 'close', description: 'Closes', strict: false, parameters: closed };
  const asked = {
    model: 'gpt-5.1',
    input: [
      { type: 'function_call', call_id: 'call_1', namespace: 'agents', name: 'close', arguments: '{"city":"a"}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'done' },
      { role: 'user', content: 'And?' },
    ],
    tools: [close, { type: 'namespace', name: 'agents', description: 'Agents', tools: [close] }, { type: 'web_search' }],
  };

  it('get names that the target takes, and are found by them in its answer', () => {
    const result = translateRequest('openai-responses', 'anthropic-messages', Buffer.from(JSON.stringify(asked)), {
      ...haiku,
      stream: false,
      drop: [],
    });
    if (!result.ok) throw new Error(JSON.stringify(result.unsupported));
    expect(result.dropped).toEqual(['tools.web_search']);
    const written = JSON.parse(result.body.toString()) as {
      readonly tools: readonly { readonly name: string }[];
      readonly messages: readonly { readonly content: readonly { readonly name?: string }[] }[];
    };
    const [plain, grouped] = written.tools.map(({ name }) => name);
    expect(plain).toBe('close');
    expect(grouped).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    expect(grouped).not.toBe(plain);
    expect(written.messages[0]?.content[0]?.name).toBe(grouped);
    expect(namesOf(result.names.get(grouped!)!)).toEqual({ namespace: 'agents', name: 'close' });
    expect(namesOf('close')).toEqual({ name: 'close' });
  });

  it('are lost if they are no functions', () => {
    const custom = { ...asked, tools: [{ type: 'namespace', name: 'agents', description: 'x', tools: [{ type: 'custom', name: 'y' }] }] };
    expect(
      translateRequest('openai-responses', 'anthropic-messages', Buffer.from(JSON.stringify(custom)), {
        ...haiku,
        stream: false,
        drop: neutralDrops,
      }),
    ).toMatchObject({ ok: false, unsupported: [{ path: 'tools[].tools[]' }] });
  });
});
