import {
  addCall,
  isObject,
  text,
  toolsOf,
  toolUsage,
  wordsIn,
  type AnswerFacts,
  type EventReading,
  type Fields,
} from '../common/answer-facts.ts';

function event(said: Fields, facts: AnswerFacts): void {
  const type = text(said['type']) ?? '';
  if (type.endsWith('.delta')) facts.token = true;
  if (type === 'error') facts.addError({ type: said['code'] ?? 'error' });
  const response = said['response'];
  if (isObject(response)) {
    facts.id ??= text(response['id']);
    facts.model = text(response['model']) ?? facts.model;
    facts.addUsage(response['usage']);
    facts.addService(response['service_tier']);
    toolUsage(response['tool_usage'], facts);
    toolsOf(response['tools'], facts);
    if (type === 'response.failed') facts.addError(response['error'] ?? {});
    if (type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed') {
      // The items were counted once if two events end it.
      if (!facts.terminal && Array.isArray(response['output']))
        for (const item of response['output'] as unknown[])
          if (isObject(item)) addCall(item['type'], typeIn(item['action']), typeIn(item['environment']), facts);
      facts.terminal = true;
      facts.finishReason = text(response['status']);
    }
  }
}

function typeIn(value: unknown): unknown {
  return isObject(value) ? value['type'] : undefined;
}

/** How the events of a Responses stream are read. */
export const responsesEvents: EventReading = {
  event,
  saysModel: true,
  words: wordsIn('response.completed', 'response.failed', 'response.incomplete', '"error"'),
};
