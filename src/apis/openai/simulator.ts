import {
  count,
  json,
  pieces,
  sse,
  toolName,
  type Counted,
  type Fields,
  type SimulatedAnswer,
  type SimulatedCall,
  type Simulation,
} from '../common/simulation.ts';
import { dataEvent, namedEvent, doneEvent } from '../common/event-text.ts';

function openaiUsage({ input, cached, output, reasoning }: Counted): object {
  return {
    prompt_tokens: input,
    completion_tokens: output + reasoning,
    total_tokens: input + output + reasoning,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function chat(model: string, body: Buffer, parsed: Fields): SimulatedAnswer {
  const counted = count(body, model);
  const base = { id: `chatcmpl-${counted.id}`, created: 1_760_000_000, model };
  const tool = toolName(parsed);
  if (parsed['stream'] !== true) {
    const message =
      tool === null
        ? { role: 'assistant', content: counted.text, refusal: null }
        : {
            role: 'assistant',
            content: null,
            refusal: null,
            tool_calls: [{ id: `call_${counted.id}`, type: 'function', function: { name: tool, arguments: '{"query":"simulated"}' } }],
          };
    return json(200, {
      ...base,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: tool === null ? 'stop' : 'tool_calls' }],
      usage: openaiUsage(counted),
    });
  }
  const chunk = (delta: object, finish: string | null): string =>
    dataEvent({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] });
  const withUsage = (parsed['stream_options'] as Fields | undefined)?.['include_usage'] === true;
  return sse([
    chunk({ role: 'assistant', content: '' }, null),
    ...pieces(counted.text).map((content) => chunk({ content }, null)),
    chunk({}, 'stop'),
    ...(withUsage ? [dataEvent({ ...base, object: 'chat.completion.chunk', choices: [], usage: openaiUsage(counted) })] : []),
    doneEvent,
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
  const item = {
    id: `msg_${counted.id}`,
    type: 'message',
    status: 'completed',
    role: 'assistant',
    content: [{ type: 'output_text', text: counted.text, annotations: [] }],
  };
  const usage = {
    input_tokens: counted.input,
    input_tokens_details: { cached_tokens: counted.cached },
    output_tokens: counted.output + counted.reasoning,
    output_tokens_details: { reasoning_tokens: counted.reasoning },
    total_tokens: counted.input + counted.output + counted.reasoning,
  };
  const response = {
    id: `resp_${counted.id}`,
    object: 'response',
    created_at: 1_760_000_000,
    status: 'completed',
    error: null,
    incomplete_details: null,
    model,
    output: [item],
    usage,
    parallel_tool_calls: true,
    tools: [],
  };
  if (parsed['stream'] !== true) return json(200, response);
  const begun = { ...response, status: 'in_progress', output: [], usage: null };
  const [part] = item.content;
  const at = { item_id: item.id, output_index: 0, content_index: 0 };
  let sequence = 0;
  const event = (type: string, more: object): string => namedEvent({ ...more, sequence_number: sequence++, type });
  return sse([
    event('response.created', { response: begun }),
    event('response.in_progress', { response: begun }),
    event('response.output_item.added', { output_index: 0, item: { ...item, status: 'in_progress', content: [] } }),
    event('response.content_part.added', { ...at, part: { ...part, text: '' } }),
    ...pieces(counted.text).map((delta) => event('response.output_text.delta', { ...at, delta, logprobs: [] })),
    event('response.output_text.done', { ...at, text: counted.text, logprobs: [] }),
    event('response.content_part.done', { ...at, part }),
    event('response.output_item.done', { output_index: 0, item }),
    event('response.completed', { response }),
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

function answer({ path, body, parsed }: SimulatedCall): SimulatedAnswer | null {
  const deployment = /\/deployments\/([^/]+)\//.exec(path)?.[1];
  const model = deployment ?? (typeof parsed['model'] === 'string' ? parsed['model'] : 'unknown');
  if (path.endsWith('/chat/completions')) return chat(model, body, parsed);
  if (path.endsWith('/completions')) return completion(model, body);
  if (path.endsWith('/responses')) return responses(model, body, parsed);
  if (path.endsWith('/embeddings')) return embeddings(model, body, parsed);
  if (path.endsWith('/models')) return json(200, { object: 'list', data: [{ id: 'gpt-5-mini', object: 'model' }] });
  return null;
}

function error(status: number, message: string): object {
  return { error: { message, type: status === 429 ? 'rate_limit_exceeded' : 'server_error', param: null, code: null } };
}

/** OpenAI's APIs, and all compatible ones. */
export const openaiSimulation: Simulation = { answer, error };
