import type { Api, Dialect } from '../api.ts';
import { unreadAnswer, unreadRequest } from '../common/opaque.ts';
import { otherEvents, otherUsage } from './answer.ts';
import { openaiErrors } from '../openai/errors.ts';

declare module '../names.ts' {
  interface ApiNames {
    'other-llm': unknown;
  }
}

/** LLM APIs that are only observed. `dialects`: those whose usage may be in their answers. */
export function otherApi(dialects: readonly Dialect[]): Api {
  return {
    name: 'other-llm',
    request: unreadRequest,
    answer: { ...unreadAnswer, events: otherEvents, usage: otherUsage(dialects) },
    errors: openaiErrors,
    parameters: null,
    translation: { caller: null, target: null },
  };
}
