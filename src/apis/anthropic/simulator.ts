import {
  count,
  json,
  pieces,
  sse,
  toolName,
  type Fields,
  type SimulatedAnswer,
  type SimulatedCall,
  type Simulation,
} from '../common/simulation.ts';
import { namedEvent } from '../common/event-text.ts';

function messages(model: string, body: Buffer, parsed: Fields): SimulatedAnswer {
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
  const content =
    tool === null
      ? [{ type: 'text', text: counted.text }]
      : [{ type: 'tool_use', id: `toolu_${counted.id}`, name: tool, input: { query: 'simulated' } }];
  const stop = tool === null ? 'end_turn' : 'tool_use';
  const message = {
    id: `msg_${counted.id}`,
    type: 'message',
    role: 'assistant',
    model,
    content,
    stop_reason: stop,
    stop_sequence: null,
    usage,
  };
  if (parsed['stream'] !== true) return json(200, message);
  const event = (value: object): string => namedEvent(value as { readonly type: string });
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

function answer({ path, body, parsed }: SimulatedCall): SimulatedAnswer | null {
  if (path.endsWith('/messages/count_tokens')) return json(200, { input_tokens: count(body, '').input });
  return path.endsWith('/messages') ? messages(typeof parsed['model'] === 'string' ? parsed['model'] : 'unknown', body, parsed) : null;
}

function error(status: number, message: string): object {
  return {
    type: 'error',
    error: { type: status === 429 ? 'rate_limit_error' : status === 529 ? 'overloaded_error' : 'api_error', message },
  };
}

/** Anthropic's API. */
export const anthropicSimulation: Simulation = { answer, error };
