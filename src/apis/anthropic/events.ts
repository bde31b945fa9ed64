import { isObject, text, wordsIn, type AnswerFacts, type EventReading, type Fields } from '../common/answer-facts.ts';

function event(said: Fields, facts: AnswerFacts): void {
  switch (said['type']) {
    case 'message_start':
      if (isObject(said['message'])) {
        facts.id ??= text(said['message']['id']);
        facts.model = text(said['message']['model']) ?? facts.model;
        facts.addUsage(said['message']['usage']);
        facts.container ||= isObject(said['message']['container']);
      }
      return;
    case 'content_block_delta':
      facts.token = true;
      return;
    case 'message_delta':
      if (isObject(said['delta'])) {
        facts.finishReason = text(said['delta']['stop_reason']) ?? facts.finishReason;
        facts.container ||= isObject(said['delta']['container']);
      }
      facts.addUsage(said['usage']);
      return;
    case 'message_stop':
      facts.terminal = true;
      return;
    case 'error':
      facts.addError(said['error'] ?? {});
      return;
  }
}

/** How the events of a Messages stream are read. */
export const messageEvents: EventReading = { event, saysModel: true, words: wordsIn('message_delta', 'message_stop', '"error"') };
