import {
  count,
  json,
  pieces,
  sse,
  toolName,
  type Counted,
  type SimulatedAnswer,
  type SimulatedCall,
  type Simulation,
} from '../common/simulation.ts';
import { namedEvent, doneEvent } from '../common/event-text.ts';

function usageOf({ input, output, cached }: Counted): object {
  return {
    billed_units: { input_tokens: input, output_tokens: output },
    tokens: { input_tokens: input + 60, output_tokens: output + 2 },
    cached_tokens: cached,
  };
}

function answer({ path, body, parsed }: SimulatedCall): SimulatedAnswer | null {
  if (!path.endsWith('/v2/chat')) return null;
  const counted = count(body, typeof parsed['model'] === 'string' ? parsed['model'] : '');
  const { id } = counted;
  const tool = toolName(parsed);
  const call = { id: `call_${id}`, type: 'function', function: { name: tool, arguments: '{"query":"simulated"}' } };
  const reason = tool === null ? 'COMPLETE' : 'TOOL_CALL';
  const usage = usageOf(counted);
  if (parsed['stream'] !== true) {
    const message =
      tool === null
        ? { role: 'assistant', content: [{ type: 'text', text: counted.text }] }
        : { role: 'assistant', tool_plan: 'I will look it up.', tool_calls: [call] };
    return json(200, { id, message, finish_reason: reason, usage });
  }
  const event = (type: string, members: object): string => namedEvent({ type, ...members });
  const content = [
    event('content-start', { index: 0, delta: { message: { content: { type: 'text', text: '' } } } }),
    ...pieces(counted.text).map((text) => event('content-delta', { index: 0, delta: { message: { content: { text } } } })),
    event('content-end', { index: 0 }),
  ];
  const calls = [
    event('tool-call-start', { index: 0, delta: { message: { tool_calls: { ...call, function: { name: tool, arguments: '' } } } } }),
    event('tool-call-delta', { index: 0, delta: { message: { tool_calls: { function: { arguments: call.function.arguments } } } } }),
    event('tool-call-end', { index: 0 }),
  ];
  return sse([
    event('message-start', { id, delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] } } }),
    ...(tool === null ? content : calls),
    event('message-end', { delta: { finish_reason: reason, usage } }),
    doneEvent,
  ]);
}

/** Cohere's chat. */
export const cohereSimulation: Simulation = { answer, error: (_status, message) => ({ message }) };
