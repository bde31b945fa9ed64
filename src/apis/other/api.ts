import type { Api } from '../api.ts';
import { unreadAnswer, unreadRequest } from '../common/opaque.ts';
import { openaiErrors } from '../openai/errors.ts';

/** LLM APIs that are only observed. */
export const otherApi: Api = {
  name: 'other-llm',
  request: unreadRequest,
  answer: unreadAnswer,
  errors: openaiErrors,
  parameters: null,
  translation: { caller: null, target: null },
};
