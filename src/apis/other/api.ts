import type { Api } from '../api.ts';
import { unreadAnswer, unreadRequest } from '../common/opaque.ts';
import { otherEvents, otherUsage } from './answer.ts';
import { openaiErrors } from '../openai/errors.ts';

/** LLM APIs that are only observed. */
export const otherApi: Api = {
  name: 'other-llm',
  request: unreadRequest,
  answer: { ...unreadAnswer, events: otherEvents, usage: otherUsage },
  errors: openaiErrors,
  parameters: null,
  translation: { caller: null, target: null },
};
