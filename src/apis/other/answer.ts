import { cohereUsage } from '../cohere/answer.ts';
import { isObject, text, wordsIn, type AnswerFacts, type EventReading, type Fields } from '../common/answer-facts.ts';
import { fields, type UsageReading } from '../common/usage.ts';
import { geminiUsage } from '../gemini/usage.ts';
import { openaiInputUsage } from '../openai/usage.ts';

/** How calls that are only observed count: whichever provider's words they use. */
export const otherUsage: UsageReading = {
  convention: openaiInputUsage.convention,
  read: (usage) => {
    if (usage['billed_units'] !== undefined) return cohereUsage.read(usage);
    return (usage['promptTokenCount'] === undefined ? openaiInputUsage : geminiUsage).read(usage);
  },
};

/** Images, transcriptions and speech that come as streams: their last event has the usage. */
function event(said: Fields, facts: AnswerFacts): void {
  const type = text(said['type']) ?? '';
  if (type === 'error') facts.addError(said['error'] ?? said);
  facts.model = text(said['model']) ?? facts.model;
  if (isObject(said['usage'])) facts.addUsage(type.startsWith('speech.') ? spoken(said['usage']) : said['usage']);
  if (/\.(?:completed|done)$/.test(type)) facts.terminal = true;
}

/** What a model says aloud are tokens of sound, which are not named. */
function spoken(usage: Fields): Fields {
  return { output_token_details: { audio_tokens: fields(usage)['output_tokens'] }, ...usage };
}

export const otherEvents: EventReading = { event, saysModel: false, words: wordsIn('"usage"', '.completed', '.done', '"error"') };
