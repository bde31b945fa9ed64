/** The APIs that requests are translated to, and those that they are translated from. */
export type TargetApi = 'openai-chat' | 'anthropic-messages' | 'gemini-generate';
export type CallerApi = TargetApi | 'openai-responses';

/** One provider's answer in the shape it has on the wire: JSON, or a stream's text. */
export interface ProviderAnswer {
  readonly status: number;
  readonly body: string;
}

export type Scenario = 'text' | 'calls' | 'length' | 'filter' | 'rate-limit' | 'too-long' | 'overloaded' | 'error-inside';

export const words = ['Grüße, ', '世界 ', '– 🌍', '!'];
/** Arguments whose numbers no JavaScript number holds. */
export const bigArgs = '{"id":12345678901234567890,"ratio":1.0,"note":"a \\"quoted\\" 🌍"}';
export const messages: Readonly<Record<string, string>> = {
  'rate-limit': 'Slow down, please.',
  overloaded: 'Everyone is here today.',
  'error-inside': 'The machine caught fire.',
};

/** What every scenario counts: 100 input tokens of which 30 came from a cache, 50 output tokens of which 20 (where the provider tells) were thoughts. */
export const counted = { input: 100, cached: 30, output: 50 } as const;

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { readonly type: string }): string => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;

const statuses: Readonly<Record<string, number>> = { 'rate-limit': 429, 'too-long': 400, overloaded: 503 };

function openaiError(scenario: Scenario): object {
  switch (scenario) {
    case 'rate-limit':
      return { error: { message: messages['rate-limit'], type: 'requests', param: null, code: 'rate_limit_exceeded' } };
    case 'too-long':
      return { error: { message: "This model's maximum context length is 128000 tokens. However, your messages resulted in 400000 tokens.", type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' } };
    default:
      return { error: { message: messages[scenario] ?? 'failed', type: 'server_error', param: null, code: null } };
  }
}

function openaiChat(scenario: Scenario, stream: boolean): ProviderAnswer {
  const status = statuses[scenario];
  if (status !== undefined) return { status, body: JSON.stringify(openaiError(scenario)) };
  const base = { id: 'chatcmpl-C1', created: 1_770_000_000, model: 'gpt-4.1-2025-04-14', service_tier: 'default', system_fingerprint: 'fp_1' };
  const usage = {
    prompt_tokens: counted.input,
    completion_tokens: counted.output,
    total_tokens: counted.input + counted.output,
    prompt_tokens_details: { cached_tokens: counted.cached, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
  const finish = { text: 'stop', calls: 'tool_calls', length: 'length', filter: 'content_filter' }[scenario as 'text'] ?? 'stop';
  const calls = [
    { id: 'call_A', type: 'function', function: { name: 'look_up', arguments: bigArgs } },
    { id: 'call_B', type: 'function', function: { name: 'no_arguments', arguments: '{}' } },
  ];
  if (!stream) {
    const message = { role: 'assistant', content: words.join(''), refusal: null, annotations: [], ...(scenario === 'calls' ? { tool_calls: calls } : {}) };
    return { status: 200, body: JSON.stringify({ ...base, object: 'chat.completion', choices: [{ index: 0, message, logprobs: null, finish_reason: finish }], usage }) };
  }
  const chunk = (delta: object, reason: string | null = null): string => data({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }], usage: null, obfuscation: 'xyz' });
  const events = [chunk({ role: 'assistant', content: '', refusal: null }), ...words.map((content) => chunk({ content }))];
  if (scenario === 'error-inside') return { status: 200, body: [...events, data(openaiError(scenario))].join('') };
  if (scenario === 'calls') {
    for (const [index, call] of calls.entries()) {
      events.push(chunk({ tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.function.name, arguments: '' } }] }));
      for (const piece of call.function.arguments.match(/.{1,7}/gsu) ?? []) events.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    }
  }
  events.push(chunk({}, finish), data({ ...base, object: 'chat.completion.chunk', choices: [], usage }), 'data: [DONE]\n\n');
  return { status: 200, body: events.join('') };
}

function anthropicError(scenario: Scenario): object {
  const error = {
    'rate-limit': { type: 'rate_limit_error', message: messages['rate-limit'] },
    'too-long': { type: 'invalid_request_error', message: 'prompt is too long: 250000 tokens > 200000 maximum' },
    overloaded: { type: 'overloaded_error', message: messages['overloaded'] },
  }[scenario as 'overloaded'] ?? { type: 'api_error', message: messages[scenario] };
  return { type: 'error', error, request_id: 'req_1' };
}

/** JSON text with the big arguments as they are, which JSON.stringify of a JavaScript object cannot write. */
const withBigArgs = (text: string): string => text.replaceAll('"@args"', bigArgs);

function anthropic(scenario: Scenario, stream: boolean): ProviderAnswer {
  const status = scenario === 'overloaded' ? 529 : statuses[scenario];
  if (status !== undefined) return { status, body: JSON.stringify(anthropicError(scenario)) };
  const input = { input_tokens: counted.input - counted.cached, cache_creation_input_tokens: 0, cache_read_input_tokens: counted.cached, cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 }, service_tier: 'standard' };
  const stop = { text: 'end_turn', calls: 'tool_use', length: 'max_tokens', filter: 'refusal' }[scenario as 'text'] ?? 'end_turn';
  const base = { id: 'msg_01C1', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5-20250929', stop_sequence: null };
  if (!stream) {
    const content: object[] = [{ type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }, { type: 'text', text: words.join(''), citations: null }];
    if (scenario === 'calls') content.push({ type: 'tool_use', id: 'toolu_A', name: 'look_up', input: '@args', caller: { type: 'direct' } }, { type: 'tool_use', id: 'toolu_B', name: 'no_arguments', input: {} });
    return { status: 200, body: withBigArgs(JSON.stringify({ ...base, content, stop_reason: stop, usage: { ...input, output_tokens: counted.output } })) };
  }
  const events: { readonly type: string }[] = [{ type: 'message_start', message: { ...base, content: [], stop_reason: null, usage: { ...input, output_tokens: 1 } } } as { readonly type: string }];
  const event = (type: string, members: object): void => void events.push({ type, ...members });
  event('content_block_start', { index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } });
  event('content_block_delta', { index: 0, delta: { type: 'thinking_delta', thinking: 'Hm.' } });
  event('content_block_delta', { index: 0, delta: { type: 'signature_delta', signature: 'c2ln' } });
  event('content_block_stop', { index: 0 });
  event('content_block_start', { index: 1, content_block: { type: 'text', text: '' } });
  event('ping', {});
  for (const text of words) event('content_block_delta', { index: 1, delta: { type: 'text_delta', text } });
  event('content_block_stop', { index: 1 });
  if (scenario === 'error-inside') event('error', { error: { type: 'api_error', message: messages[scenario] } });
  if (scenario === 'calls') {
    event('content_block_start', { index: 2, content_block: { type: 'tool_use', id: 'toolu_A', name: 'look_up', input: {} } });
    event('content_block_delta', { index: 2, delta: { type: 'input_json_delta', partial_json: '' } });
    for (const piece of bigArgs.match(/.{1,7}/gsu) ?? []) event('content_block_delta', { index: 2, delta: { type: 'input_json_delta', partial_json: piece } });
    event('content_block_stop', { index: 2 });
    event('content_block_start', { index: 3, content_block: { type: 'tool_use', id: 'toolu_B', name: 'no_arguments', input: {} } });
    event('content_block_stop', { index: 3 });
  }
  event('message_delta', { delta: { stop_reason: stop, stop_sequence: null }, usage: { input_tokens: null, cache_creation_input_tokens: null, cache_read_input_tokens: null, output_tokens: counted.output } });
  event('message_stop', {});
  const end = scenario === 'error-inside' ? events.findIndex(({ type }) => type === 'error') + 1 : events.length;
  return { status: 200, body: events.slice(0, end).map(named).join('') };
}

function geminiError(scenario: Scenario): object {
  const error = {
    'rate-limit': { code: 429, message: messages['rate-limit'], status: 'RESOURCE_EXHAUSTED', details: [] },
    'too-long': { code: 400, message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).', status: 'INVALID_ARGUMENT' },
    overloaded: { code: 503, message: messages['overloaded'], status: 'UNAVAILABLE' },
  }[scenario as 'overloaded'] ?? { code: 500, message: messages[scenario], status: 'INTERNAL' };
  return { error };
}

function gemini(scenario: Scenario, stream: boolean): ProviderAnswer {
  const status = statuses[scenario];
  if (status !== undefined) return { status, body: JSON.stringify(geminiError(scenario)) };
  const usage = {
    promptTokenCount: counted.input,
    cachedContentTokenCount: counted.cached,
    candidatesTokenCount: counted.output - 20,
    thoughtsTokenCount: 20,
    totalTokenCount: counted.input + counted.output,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: counted.input }],
  };
  const finish = { text: 'STOP', calls: 'STOP', length: 'MAX_TOKENS', filter: 'SAFETY' }[scenario as 'text'] ?? 'STOP';
  const calls =
    scenario === 'calls'
      ? [
          { functionCall: { name: 'look_up', args: '@args', id: 'g1' }, thoughtSignature: 'c2ln' },
          { functionCall: { name: 'no_arguments', args: {} } },
        ]
      : [];
  const chunk = (parts: readonly object[], last: boolean): object => ({
    candidates: [{ content: { parts, role: 'model' }, ...(last ? { finishReason: finish } : {}), index: 0 }],
    usageMetadata: last ? usage : { promptTokenCount: counted.input, totalTokenCount: counted.input },
    modelVersion: 'gemini-2.5-flash',
    responseId: 'R1',
  });
  const thought = { text: 'Hm.', thought: true };
  if (!stream) return { status: 200, body: withBigArgs(JSON.stringify(chunk([thought, { text: words.join('') }, ...calls], true))) };
  const events = [chunk([thought], false), ...words.map((text) => chunk([{ text }], false))];
  if (scenario === 'error-inside') return { status: 200, body: [...events, geminiError(scenario)].map(data).join('') };
  if (calls.length > 0) events.push(chunk(calls, false));
  events.push(chunk([{ text: '' }], true));
  return { status: 200, body: withBigArgs(events.map(data).join('').replaceAll('\n\n', '\r\n\r\n')) };
}

const providers: Readonly<Record<TargetApi, (scenario: Scenario, stream: boolean) => ProviderAnswer>> = {
  'openai-chat': openaiChat,
  'anthropic-messages': anthropic,
  'gemini-generate': gemini,
};

/** A provider's answer, as it would come over the wire. */
export function answerOf(api: TargetApi, scenario: Scenario, stream: boolean): ProviderAnswer {
  return providers[api](scenario, stream);
}
