import { createHash } from 'node:crypto';
import type { ReceivedRequest } from './simulator.ts';

export interface SimulatedAnswer {
  readonly status: number;
  readonly contentType: string;
  /** A stream's pieces in order; null: `body` is the answer. */
  readonly events: readonly string[] | null;
  readonly body: Buffer;
}

type Fields = Readonly<Record<string, unknown>>;

const prose =
  'Here is a short and plausible answer from the simulator. It says nothing about your question, but it has a beginning, a middle and an end, and it takes about as many tokens as a real one would.';

/** What the simulated provider counts for one request. */
interface Counted {
  readonly id: string;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly reasoning: number;
  readonly text: string;
}

function count(body: Buffer, model: string): Counted {
  const seed = createHash('sha256').update(body).digest();
  const input = Math.max(3, Math.round(body.length / 4.2));
  const words = prose.split(' ').slice(0, 8 + (seed[0]! % 28));
  const wantsJson = ['json_schema', 'json_object', 'application/json'].some((word) => body.includes(word));
  const text = wantsJson ? JSON.stringify({ answer: words.slice(0, 6).join(' '), confidence: (seed[1]! % 100) / 100 }) : words.join(' ');
  const reasoning = /^(?:o\d|gpt-5|gemini-2\.5-pro)/.test(model) ? 64 * (1 + (seed[2]! % 4)) : 0;
  return { id: seed.toString('hex', 4, 12), input, cached: input > 1_500 ? Math.floor(input / 128 / 2) * 128 : 0, output: Math.round(text.length / 4) + 2, reasoning, text };
}

/** Answers as the provider whose path was called would. */
export function answerTo(request: ReceivedRequest): SimulatedAnswer {
  const url = new URL(request.path, 'http://simulator');
  const status = Number(request.headers['x-sim-status'] ?? 200);
  if (status >= 400) return json(status, errorFor(url.pathname, status));
  const parsed = parse(request.body);
  const path = url.pathname;
  const google = /\/models\/([^/:]+):(\w+)$/.exec(path);
  if (google !== null) return gemini(decodeURIComponent(google[1]!), google[2]!, url.searchParams.get('alt') === 'sse', request.body);
  if (path.endsWith('/messages/count_tokens')) return json(200, { input_tokens: count(request.body, '').input });
  const deployment = /\/deployments\/([^/]+)\//.exec(path)?.[1];
  const model = deployment ?? (typeof parsed['model'] === 'string' ? parsed['model'] : 'unknown');
  if (path.endsWith('/messages')) return anthropic(model, request.body, parsed);
  if (path.endsWith('/chat/completions')) return chat(model, request.body, parsed);
  if (path.endsWith('/completions')) return completion(model, request.body);
  if (path.endsWith('/responses')) return responses(model, request.body, parsed);
  if (path.endsWith('/embeddings')) return embeddings(model, request.body, parsed);
  if (path.endsWith('/models')) return json(200, { object: 'list', data: [{ id: 'gpt-5-mini', object: 'model' }] });
  return json(200, { path, bytes: request.body.length });
}

function parse(body: Buffer): Fields {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Fields) : {};
  } catch {
    return {};
  }
}

function json(status: number, value: unknown): SimulatedAnswer {
  return { status, contentType: 'application/json', events: null, body: Buffer.from(JSON.stringify(value)) };
}

const empty = Buffer.alloc(0);

function sse(events: readonly string[]): SimulatedAnswer {
  return { status: 200, contentType: 'text/event-stream; charset=utf-8', events, body: empty };
}

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { readonly type: string }): string => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;

function errorFor(path: string, status: number): object {
  const message = `The simulator was asked to answer ${status}.`;
  if (path.endsWith('/messages')) return { type: 'error', error: { type: status === 429 ? 'rate_limit_error' : status === 529 ? 'overloaded_error' : 'api_error', message } };
  if (path.includes(':')) return { error: { code: status, message, status: status === 429 ? 'RESOURCE_EXHAUSTED' : 'UNAVAILABLE' } };
  return { error: { message, type: status === 429 ? 'rate_limit_exceeded' : 'server_error', param: null, code: null } };
}

function pieces(text: string): string[] {
  return text.match(/\S+\s*/g) ?? [text];
}

function openaiUsage({ input, cached, output, reasoning }: Counted): object {
  return {
    prompt_tokens: input,
    completion_tokens: output + reasoning,
    total_tokens: input + output + reasoning,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

function toolName(parsed: Fields): string | null {
  const first = Array.isArray(parsed['tools']) ? (parsed['tools'][0] as Fields | undefined) : undefined;
  if (first === undefined) return null;
  const fn = (first['function'] ?? first) as Fields;
  return typeof fn['name'] === 'string' ? fn['name'] : null;
}

function chat(model: string, body: Buffer, parsed: Fields): SimulatedAnswer {
  const counted = count(body, model);
  const base = { id: `chatcmpl-${counted.id}`, created: 1_760_000_000, model };
  const tool = toolName(parsed);
  if (parsed['stream'] !== true) {
    const message =
      tool === null
        ? { role: 'assistant', content: counted.text, refusal: null }
        : { role: 'assistant', content: null, refusal: null, tool_calls: [{ id: `call_${counted.id}`, type: 'function', function: { name: tool, arguments: '{"query":"simulated"}' } }] };
    return json(200, { ...base, object: 'chat.completion', choices: [{ index: 0, message, logprobs: null, finish_reason: tool === null ? 'stop' : 'tool_calls' }], usage: openaiUsage(counted) });
  }
  const chunk = (delta: object, finish: string | null): string => data({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] });
  const withUsage = (parsed['stream_options'] as Fields | undefined)?.['include_usage'] === true;
  return sse([
    chunk({ role: 'assistant', content: '' }, null),
    ...pieces(counted.text).map((content) => chunk({ content }, null)),
    chunk({}, 'stop'),
    ...(withUsage ? [data({ ...base, object: 'chat.completion.chunk', choices: [], usage: openaiUsage(counted) })] : []),
    'data: [DONE]\n\n',
  ]);
}

function completion(model: string, body: Buffer): SimulatedAnswer {
  const counted = count(body, model);
  return json(200, {
    id: `cmpl-${counted.id}`,
    object: 'text_completion',
    created: 1_760_000_000,
    model,
    choices: [{ index: 0, text: counted.text, logprobs: null, finish_reason: 'stop' }],
    usage: { prompt_tokens: counted.input, completion_tokens: counted.output, total_tokens: counted.input + counted.output },
  });
}

function responses(model: string, body: Buffer, parsed: Fields): SimulatedAnswer {
  const counted = count(body, model);
  const item = { id: `msg_${counted.id}`, type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: counted.text, annotations: [] }] };
  const usage = {
    input_tokens: counted.input,
    input_tokens_details: { cached_tokens: counted.cached },
    output_tokens: counted.output + counted.reasoning,
    output_tokens_details: { reasoning_tokens: counted.reasoning },
    total_tokens: counted.input + counted.output + counted.reasoning,
  };
  const response = { id: `resp_${counted.id}`, object: 'response', created_at: 1_760_000_000, status: 'completed', error: null, incomplete_details: null, model, output: [item], usage, parallel_tool_calls: true, tools: [] };
  if (parsed['stream'] !== true) return json(200, response);
  const begun = { ...response, status: 'in_progress', output: [], usage: null };
  let sequence = 0;
  const event = (value: { readonly type: string }): string => named({ ...value, sequence_number: sequence++ } as { readonly type: string });
  return sse([
    event({ type: 'response.created', response: begun } as { readonly type: string }),
    event({ type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', content: [] } } as { readonly type: string }),
    ...pieces(counted.text).map((delta) => event({ type: 'response.output_text.delta', item_id: item.id, output_index: 0, content_index: 0, delta } as { readonly type: string })),
    event({ type: 'response.completed', response } as { readonly type: string }),
  ]);
}

function embeddings(model: string, body: Buffer, parsed: Fields): SimulatedAnswer {
  const { input } = count(body, model);
  const texts = Array.isArray(parsed['input']) ? parsed['input'].length : 1;
  const vector = Array.from({ length: 16 }, (_, index) => Math.sin(index + body.length) / 4);
  const encoded = parsed['encoding_format'] === 'base64' ? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector;
  return json(200, {
    object: 'list',
    data: Array.from({ length: texts }, (_, index) => ({ object: 'embedding', index, embedding: encoded })),
    model,
    usage: { prompt_tokens: input, total_tokens: input },
  });
}

function anthropic(model: string, body: Buffer, parsed: Fields): SimulatedAnswer {
  const counted = count(body, model);
  const written = body.includes('cache_control') ? Math.floor(counted.input / 2) : 0;
  const usage = {
    input_tokens: counted.input - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: counted.cached,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
    output_tokens: counted.output,
  };
  const tool = toolName(parsed);
  const content = tool === null ? [{ type: 'text', text: counted.text }] : [{ type: 'tool_use', id: `toolu_${counted.id}`, name: tool, input: { query: 'simulated' } }];
  const stop = tool === null ? 'end_turn' : 'tool_use';
  const message = { id: `msg_${counted.id}`, type: 'message', role: 'assistant', model, content, stop_reason: stop, stop_sequence: null, usage };
  if (parsed['stream'] !== true) return json(200, message);
  const event = (value: object): string => named(value as { readonly type: string });
  return sse([
    event({ type: 'message_start', message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } }),
    event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    event({ type: 'ping' }),
    ...pieces(counted.text).map((text) => event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    event({ type: 'content_block_stop', index: 0 }),
    event({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: counted.output } }),
    event({ type: 'message_stop' }),
  ]);
}

function gemini(model: string, method: string, asSse: boolean, body: Buffer): SimulatedAnswer {
  const counted = count(body, model);
  if (method === 'countTokens') return json(200, { totalTokens: counted.input });
  const usageMetadata = {
    promptTokenCount: counted.input,
    cachedContentTokenCount: counted.cached,
    candidatesTokenCount: counted.output,
    thoughtsTokenCount: counted.reasoning,
    totalTokenCount: counted.input + counted.output + counted.reasoning,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: counted.input }],
  };
  const chunk = (text: string, last: boolean): object => ({
    candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, ...(last ? { finishReason: 'STOP' } : {}) }],
    ...(last ? { usageMetadata } : { usageMetadata: { promptTokenCount: counted.input, totalTokenCount: counted.input } }),
    modelVersion: model,
    responseId: counted.id,
  });
  if (method !== 'streamGenerateContent') return json(200, chunk(counted.text, true));
  const parts = pieces(counted.text);
  const chunks = parts.map((part, index) => chunk(part, index === parts.length - 1));
  if (asSse) return sse(chunks.map(data));
  return { status: 200, contentType: 'application/json', events: chunks.map((value, index) => `${index === 0 ? '[' : ','}${JSON.stringify(value)}${index === chunks.length - 1 ? ']' : ''}\n`), body: empty };
}
