import { errorInChunk } from '../common/error-words.ts';
import { executedTools, isObject, text, wordsIn, type AnswerFacts, type EventReading, type Fields } from '../common/answer-facts.ts';

function event(chunk: Fields, facts: AnswerFacts): void {
  facts.id ??= text(chunk['id']);
  facts.model = text(chunk['model']) ?? facts.model;
  // Groq's streams have it in a member of their own, unless the app asks for OpenAI's.
  facts.addUsage(chunk['usage'] ?? (isObject(chunk['x_groq']) ? chunk['x_groq']['usage'] : undefined));
  facts.addService(chunk['service_tier']);
  facts.addError(errorInChunk(chunk));
  if (!Array.isArray(chunk['choices'])) return;
  for (const choice of chunk['choices'] as unknown[]) {
    if (!isObject(choice)) continue;
    const finish = text(choice['finish_reason']);
    if (finish !== null) {
      facts.finishReason = finish;
      // [DONE] follows; some compatible providers leave it out.
      facts.terminal = true;
    }
    const delta = isObject(choice['delta']) ? choice['delta'] : choice;
    executedTools(delta['executed_tools'], facts);
    if (
      text(delta['content']) !== null ||
      text(delta['text']) !== null ||
      text(delta['reasoning_content']) !== null ||
      Array.isArray(delta['tool_calls'])
    )
      facts.token = true;
  }
}

/** How chunks of chat completions and of legacy completions are read. */
export const chatEvents: EventReading = {
  event,
  saysModel: true,
  words: wordsIn(
    '"usage',
    '"finish_reason":"',
    '"finish_reason": "',
    '"error"',
    '"error_message"',
    '"detail"',
    '"message"',
    '"type":"error',
    '"type": "error',
    'executed_tools',
  ),
};
