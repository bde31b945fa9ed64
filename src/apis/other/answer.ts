import type { Dialect } from '../api.ts';
import { messageEvents } from '../anthropic/events.ts';
import { isObject, metaOf, text, toolsOf, wordsIn, type AnswerFacts, type EventReading, type Fields } from '../common/answer-facts.ts';
import { fields, type UsageFields, type UsageReading } from '../common/usage.ts';
import { contentEvents } from '../gemini/events.ts';
import { openaiInputUsage } from '../openai/usage.ts';

/** How calls that are only observed count: by the dialect whose member the usage has. */
export function otherUsage(dialects: readonly Dialect[]): UsageReading {
  const known = dialects.flatMap(({ observedUsage }) => observedUsage);
  const readingOf = (usage: UsageFields): UsageReading =>
    known.find(({ members }) => members.some((name) => usage[name] !== undefined))?.reading ?? openaiInputUsage;
  return { convention: openaiInputUsage.convention, read: (usage) => readingOf(usage).read(usage) };
}

/**
 * Images, transcriptions, speech, runs and interactions that come as streams: their last event has the usage. Vertex AI streams the events
 * of its publishers.
 */
function event(said: Fields, facts: AnswerFacts): void {
  const type = text(said['type']) ?? text(said['event_type']) ?? '';
  if (messageTypes.test(type)) return messageEvents.event(said, facts);
  if (Array.isArray(said['candidates']) || said['usageMetadata'] !== undefined) return contentEvents.event(said, facts);
  if (type === 'stream-end') return cohereEnd(said, facts);
  if (said['done'] === true && said['eval_count'] !== undefined) return ollamaEnd(said, facts);
  if (type === 'error') facts.addError(said['error'] ?? said);
  facts.model = text(said['model']) ?? facts.model;
  toolsOf(said['tools'], facts);
  if (isObject(said['interaction'])) event(said['interaction'], facts);
  // The steps of a run are in its total, which comes when the run is over: a run that waits for the app says none.
  if (isObject(said['usage']) && said['object'] !== 'thread.run.step')
    facts.addUsage(type.startsWith('speech.') ? spoken(said['usage']) : said['usage']);
  if (/\.(?:completed?|done)$/.test(type)) facts.terminal = true;
}

/** The last event of Cohere's chat, version 1. */
function cohereEnd(said: Fields, facts: AnswerFacts): void {
  const response = isObject(said['response']) ? said['response'] : {};
  facts.id ??= text(response['response_id']) ?? text(response['generation_id']);
  facts.finishReason = text(said['finish_reason']) ?? text(response['finish_reason']);
  metaOf(response['meta'], facts);
  if (/^ERROR/.test(facts.finishReason ?? '')) facts.addError({ type: facts.finishReason });
  facts.terminal = true;
}

/** The last line of Ollama's own API. */
function ollamaEnd(said: Fields, facts: AnswerFacts): void {
  facts.model = text(said['model']) ?? facts.model;
  facts.finishReason = text(said['done_reason']);
  facts.addUsage({ prompt_eval_count: said['prompt_eval_count'], eval_count: said['eval_count'] });
  facts.terminal = true;
}

/** Anthropic's events. */
const messageTypes = /^(?:message|content_block)_/;

/** What a model says aloud are tokens of sound, which are not named. */
function spoken(usage: Fields): Fields {
  return { output_token_details: { audio_tokens: fields(usage)['output_tokens'] }, ...usage };
}

export const otherEvents: EventReading = {
  event,
  saysModel: false,
  words: wordsIn('"usage', '.complete', '.done', '"error', 'message_', '"finishReason"', 'stream-end', '"done"'),
};
