import { messageEvents } from '../anthropic/events.ts';
import { bedrockPrice, isObject, text, wordsIn, type AnswerFacts, type EventReading, type Fields } from '../common/answer-facts.ts';

/** Reads an event of a stream; `:event-type` and `:message-type` are the headers of its message. */
function event(said: Fields, facts: AnswerFacts): void {
  const type = said[':event-type'];
  if (said[':message-type'] === 'exception' || said[':message-type'] === 'error')
    facts.addError({ type: said[':exception-type'] ?? said[':error-code'] });
  else if (type === 'chunk') chunk(said['bytes'], facts);
  else if (type === 'contentBlockDelta') facts.token = true;
  else if (type === 'messageStop') facts.finishReason = text(said['stopReason']) ?? facts.finishReason;
  else if (type === 'metadata') {
    facts.addUsage(said['usage']);
    bedrockPrice(said, facts);
    facts.terminal = true;
  }
}

/** A piece of the answer of a model that was invoked, in the model's own words. */
function chunk(bytes: unknown, facts: AnswerFacts): void {
  if (typeof bytes !== 'string') return;
  let inner: unknown;
  try {
    inner = JSON.parse(Buffer.from(bytes, 'base64').toString('utf8'));
  } catch {
    return;
  }
  if (!isObject(inner)) return;
  if (inner['type'] === undefined) {
    facts.token = true;
    facts.addUsage(inner['usage']);
  } else messageEvents.event(inner, facts);
  const metrics = inner[metricsOfInvocation];
  if (!isObject(metrics)) return;
  facts.terminal = true;
  if (facts.usage === null) facts.addUsage({ inputTokens: metrics['inputTokenCount'], outputTokens: metrics['outputTokenCount'] });
}

/** What Bedrock adds to the last piece of any model. */
const metricsOfInvocation = 'amazon-bedrock-invocationMetrics';

/** An exception has a `message`; only the header of its message marks it as one. */
export const bedrockEvents: EventReading = { event, saysModel: false, words: wordsIn('"usage"', '"bytes"', '"stopReason"', '"message"') };
