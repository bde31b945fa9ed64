import { isObject, text, wordsIn, type AnswerFacts, type EventReading, type Fields } from '../common/answer-facts.ts';

function event(chunk: Fields, facts: AnswerFacts): void {
  facts.id ??= text(chunk['responseId']);
  facts.model = text(chunk['modelVersion']) ?? facts.model;
  facts.addUsage(chunk['usageMetadata']);
  facts.addError(chunk['error']);
  if (!Array.isArray(chunk['candidates'])) return;
  for (const candidate of chunk['candidates'] as unknown[]) {
    if (!isObject(candidate)) continue;
    if (isObject(candidate['content'])) facts.token = true;
    if (isObject(candidate['groundingMetadata']) && Object.keys(candidate['groundingMetadata']).length > 0) facts.setCalls('grounding', 1);
    const finish = text(candidate['finishReason']);
    if (finish !== null) {
      facts.finishReason = finish;
      facts.terminal = true;
    }
  }
}

/** How to read the chunks of a content stream. */
export const contentEvents: EventReading = {
  event,
  saysModel: true,
  words: wordsIn('"usage', '"groundingMetadata"', '"finishReason"', '"error"', '"type":"error', '"type": "error'),
};
