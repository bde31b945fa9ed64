import { describe, expect, it } from 'vitest';
import { fallbackTriggers, type FallbackTrigger } from '../policy/types.ts';
import type { ApiName } from '../apis/types.ts';
import { requestedSchema } from '../apis/requested-schema.ts';
import { judgeAnswer, judgeErrorBody, judgeEvent, judgeStatus, type Expectation } from './check-answer.ts';

const all: ReadonlySet<FallbackTrigger> = new Set(fallbackTriggers);
const anything: Expectation = { jsonOutput: 'none', schema: null };
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const chat = (message: object, finish_reason = 'stop'): Buffer => json({ choices: [{ message, finish_reason }] });

describe('an error status', () => {
  it.each<readonly [number, ReturnType<typeof judgeStatus>]>([
    [400, 'look'],
    [413, 'look'],
    [422, 'look'],
    [401, 'key-dead'],
    [403, 'look'],
    [412, 'look'],
    [498, 'look'],
    [424, 'server-error'],
    [499, 'server-error'],
    [404, 'model-gone'],
    [410, 'model-gone'],
    [408, 'timeout'],
    [429, 'rate-limit'],
    [500, 'server-error'],
    [503, 'server-error'],
    [529, 'overloaded'],
  ])('%i is %s', (status, trigger) => {
    expect(judgeStatus(status)).toBe(trigger);
  });

  it.each<readonly [string, unknown, FallbackTrigger | null]>([
    [
      'OpenAI, too long',
      {
        error: {
          message: "This model's maximum context length is 128000 tokens.",
          type: 'invalid_request_error',
          code: 'context_length_exceeded',
        },
      },
      'context-window',
    ],
    [
      'Anthropic, too long',
      { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' } },
      'context-window',
    ],
    [
      'Gemini, too long',
      {
        error: {
          code: 400,
          message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
          status: 'INVALID_ARGUMENT',
        },
      },
      'context-window',
    ],
    [
      'Azure, filtered',
      { error: { code: 'content_filter', message: 'The response was filtered', innererror: { code: 'ResponsibleAIPolicyViolation' } } },
      'content-filter',
    ],
    ['DeepSeek, no such model', { error: { message: 'Model Not Exist', type: 'invalid_request_error' } }, 'model-gone'],
    [
      'the app’s own mistake',
      { error: { message: "Invalid value for 'temperature'", type: 'invalid_request_error', code: 'invalid_value' } },
      null,
    ],
    ['no error object', 'nonsense', null],
  ])('400 of %s', (_who, body, trigger) => {
    expect(judgeErrorBody(json(body))).toBe(trigger);
  });
});

/** Answers without words that are whole all the same. */
const otherThanWords: readonly (readonly [string, ApiName, Buffer, null])[] = [
  ['sound', 'openai-chat', chat({ content: null, audio: { id: 'a', data: 'UklG', transcript: 'Hi' } }), null],
  [
    'a picture',
    'openai-chat',
    chat({ content: '', images: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iV' } }] }),
    null,
  ],
  [
    'a call of a tool that takes any text',
    'openai-chat',
    chat({ content: null, tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'patch', input: '*** Begin' } }] }, 'tool_calls'),
    null,
  ],
  [
    'words in parts',
    'openai-chat',
    chat({
      content: [
        { type: 'thinking', thinking: [] },
        { type: 'text', text: 'Hi' },
      ],
    }),
    null,
  ],
  ...[
    { type: 'custom_tool_call', name: 'apply_patch', input: '*** Begin Patch' },
    { type: 'computer_call', action: { type: 'screenshot' } },
    { type: 'local_shell_call', action: { command: ['ls'] } },
    { type: 'shell_call', action: { commands: ['ls'] } },
    { type: 'apply_patch_call', operation: { type: 'delete_file', path: 'a' } },
    { type: 'mcp_approval_request', name: 'f', arguments: '{}' },
    { type: 'image_generation_call', result: 'iVBORw0KGgo=' },
    { type: 'compaction', encrypted_content: 'x' },
  ].map((item) => [`an item ${item.type}`, 'openai-responses', json({ status: 'completed', output: [item] }), null] as const),
  ['a promise to answer later', 'openai-responses', json({ status: 'queued', background: true, output: [] }), null],
  [
    'a call of a remote tool',
    'anthropic-messages',
    json({ content: [{ type: 'mcp_tool_use', input: {} }], stop_reason: 'end_turn' }),
    null,
  ],
  [
    'a shortened conversation',
    'anthropic-messages',
    json({ content: [{ type: 'compaction', content: 'x' }], stop_reason: 'compaction' }),
    null,
  ],
  ...['inlineData', 'fileData', 'executableCode', 'codeExecutionResult'].map(
    (part) => [`a part ${part}`, 'gemini-generate', json({ candidates: [{ content: { parts: [{ [part]: {} }] } }] }), null] as const,
  ),
];

describe('a whole answer', () => {
  it.each<readonly [string, ApiName, Buffer, FallbackTrigger | null]>([
    ['text', 'openai-chat', chat({ content: 'Hello' }), null],
    ['nothing', 'openai-chat', chat({ content: '' }), 'empty'],
    ['white space', 'openai-chat', chat({ content: ' \n' }), 'empty'],
    [
      'a tool call',
      'openai-chat',
      chat({ content: null, tool_calls: [{ function: { name: 'f', arguments: '{"a":1}' } }] }, 'tool_calls'),
      null,
    ],
    [
      'a broken tool call',
      'openai-chat',
      chat({ content: null, tool_calls: [{ function: { name: 'f', arguments: '{"a":' } }] }, 'tool_calls'),
      'bad-tool-call',
    ],
    ['a refusal', 'openai-chat', chat({ content: null, refusal: 'I cannot.' }), 'refusal'],
    ['filtered', 'openai-chat', chat({ content: '' }, 'content_filter'), 'content-filter'],
    ['cut off', 'openai-chat', chat({ content: 'Once upon' }, 'length'), 'length'],
    ['no JSON at all', 'openai-chat', Buffer.from('<html>'), 'server-error'],
    ['text', 'openai-completions', json({ choices: [{ text: 'Hi', finish_reason: 'stop' }] }), null],
    ['text', 'openai-responses', json({ output: [{ type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }] }), null],
    ['a refusal', 'openai-responses', json({ output: [{ type: 'message', content: [{ type: 'refusal', refusal: 'No' }] }] }), 'refusal'],
    [
      'cut off',
      'openai-responses',
      json({
        output: [{ type: 'message', content: [{ type: 'output_text', text: 'H' }] }],
        incomplete_details: { reason: 'max_output_tokens' },
      }),
      'length',
    ],
    ['a broken call', 'openai-responses', json({ output: [{ type: 'function_call', arguments: '{' }] }), 'bad-tool-call'],
    ['text', 'anthropic-messages', json({ content: [{ type: 'text', text: 'Hi' }], stop_reason: 'end_turn' }), null],
    ['a tool call', 'anthropic-messages', json({ content: [{ type: 'tool_use', input: {} }], stop_reason: 'tool_use' }), null],
    ['a refusal', 'anthropic-messages', json({ content: [], stop_reason: 'refusal' }), 'refusal'],
    ['cut off', 'anthropic-messages', json({ content: [{ type: 'text', text: 'H' }], stop_reason: 'max_tokens' }), 'length'],
    ['nothing', 'anthropic-messages', json({ content: [], stop_reason: 'end_turn' }), 'empty'],
    ['text', 'gemini-generate', json({ candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }] }), null],
    ['a tool call', 'gemini-generate', json({ candidates: [{ content: { parts: [{ functionCall: { name: 'f' } }] } }] }), null],
    ['filtered', 'gemini-generate', json({ candidates: [{ finishReason: 'SAFETY' }] }), 'content-filter'],
    ['blocked', 'gemini-generate', json({ promptFeedback: { blockReason: 'PROHIBITED_CONTENT' } }), 'content-filter'],
    [
      'thoughts alone',
      'gemini-generate',
      json({ candidates: [{ content: { parts: [{ text: 'hm', thought: true }] }, finishReason: 'STOP' }] }),
      'empty',
    ],
    ['a stream as an array', 'gemini-generate', json([{ candidates: [{ content: { parts: [{ text: 'Hi' }] } }] }]), null],
    ['an empty array', 'gemini-generate', json([]), 'server-error'],
    ['an array', 'openai-chat', json([{ choices: [] }]), 'server-error'],
    ...otherThanWords,
    [
      'thoughts alone, in parts',
      'openai-chat',
      chat({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }] }),
      'empty',
    ],
    ['a search alone', 'openai-responses', json({ status: 'completed', output: [{ type: 'web_search_call' }] }), 'empty'],
    ['another shape', 'openai-chat', json({ object: 'list' }), 'server-error'],
    ['no choice', 'openai-chat', json({ object: 'chat.completion', choices: [] }), 'empty'],
    ['another shape of an API that is not viewed', 'openai-embeddings', json({ detail: 'x' }), null],
  ])('%s of %s', (_what, api, body, trigger) => {
    expect(judgeAnswer(api, body, anything, all)).toBe(trigger);
    expect(judgeAnswer(api, body, anything, new Set())).toBeNull();
  });

  it('is held to the JSON that was asked for', () => {
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'], additionalProperties: false };
    const judge = (content: string, expects: Expectation) => judgeAnswer('openai-chat', chat({ content }), expects, all);
    expect(judge('Sure! {"n":1}', { jsonOutput: 'object', schema: null })).toBe('invalid-json');
    expect(judge('{"n":"x"}', { jsonOutput: 'object', schema: null })).toBeNull();
    expect(judge('{"n":1}', { jsonOutput: 'schema', schema })).toBeNull();
    expect(judge('{"n":"x"}', { jsonOutput: 'schema', schema })).toBe('invalid-json');
    // A picture or a call is in no such form.
    const call = json({ output: [{ type: 'computer_call' }] });
    const picture = json({ candidates: [{ content: { parts: [{ inlineData: { data: 'iV' } }] } }] });
    expect(judgeAnswer('openai-responses', call, { jsonOutput: 'schema', schema }, all)).toBeNull();
    expect(judgeAnswer('gemini-generate', picture, { jsonOutput: 'schema', schema }, all)).toBeNull();
    // A schema that nobody can compile judges nothing.
    expect(judge('{"n":"x"}', { jsonOutput: 'schema', schema: { type: 'nonsense' } })).toBeNull();
  });
});

it('finds the schema where each API has it', () => {
  const schema = { type: 'object' };
  expect(requestedSchema('openai-chat', json({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } }))).toEqual(
    schema,
  );
  expect(requestedSchema('openai-responses', json({ text: { format: { type: 'json_schema', schema } } }))).toEqual(schema);
  expect(requestedSchema('gemini-generate', json({ generationConfig: { responseJsonSchema: schema } }))).toEqual(schema);
  expect(requestedSchema('anthropic-messages', json({ output_config: { format: { type: 'json_schema', schema } } }))).toEqual(schema);
  expect(requestedSchema('openai-chat', json({}))).toBeNull();
  expect(requestedSchema('openai-chat', Buffer.from('{'))).toBeNull();
});

it.each([
  ['{"error":{"message":"overloaded"}}', 'error'],
  ['{"type":"error","error":{"type":"overloaded_error"}}', 'error'],
  ['{"type":"response.failed","response":{}}', 'error'],
  ['{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502}}', 'error'],
  ['[DONE]', 'error'],
  ['[{"error":{"code":503,"status":"UNAVAILABLE"}}]', 'error'],
  ['{"object":"error","message":"EngineCore encountered an issue","code":500}', 'error'],
  ['{"detail":"Internal Server Error"}', 'error'],
  ['{"id":"","object":"chat.completion.chunk","choices":null,"error_type":"BadRequestError","error_message":"too long"}', 'error'],
  ['{"id":"","object":"chat.completion.chunk","choices":[],"error_type":"BadRequestError","error_message":"too long"}', 'error'],
  ['{"message":"overloaded","code":"server_is_overloaded"}', 'error'],
  ['{"message":"Internal server error","type":"api_error"}', 'error'],
  ['{"choices":[{"index":0,"delta":{"content":""},"error":{"code":502}}]}', 'error'],
  ['{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}', 'opening'],
  ['{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}', 'answer'],
  ['{"type":"response.output_item.added","item":{"type":"message","content":[]}}', 'opening'],
  ['{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}', 'answer'],
  ['{"type":"response.content_part.added","part":{"type":"output_text","text":""}}', 'opening'],
  ['{"candidates":[{"content":{"parts":[{"text":""}]}}]}', 'opening'],
  ['{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}', 'answer'],
  ['{"usageMetadata":{"promptTokenCount":5}}', 'opening'],
  ['{"type":"message_start","message":{"content":[]}}', 'opening'],
  ['{"type":"ping"}', 'opening'],
  ['{"type":"response.created","response":{"status":"in_progress"}}', 'opening'],
  ['{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}', 'opening'],
  ['{"choices":[],"prompt_filter_results":[]}', 'opening'],
  ['{"choices":[{"index":0,"delta":{"role":"assistant","content":"a"}}],"error":null}', 'answer'],
  ['{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}', 'answer'],
  ['{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', 'answer'],
  ['{"choices":[],"usage":{"prompt_tokens":1}}', 'answer'],
  ['{"type":"response.output_item.added"}', 'answer'],
  ['{"candidates":[]}', 'answer'],
])('the event %s of a stream that has said nothing: %s', (data, says) => {
  expect(judgeEvent(data)).toBe(says);
});
