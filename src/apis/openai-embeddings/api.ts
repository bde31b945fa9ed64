import type { Api } from '../api.ts';
import { unreadAnswer } from '../common/opaque.ts';
import { openaiErrors } from '../openai/errors.ts';
import { openaiPrompt as member } from '../openai/read.ts';
import { openaiInputUsage } from '../openai/usage.ts';

declare module '../names.ts' {
  interface ApiNames {
    'openai-embeddings': unknown;
  }
}

/** OpenAI's embeddings. */
export const openaiEmbeddingsApi: Api = {
  name: 'openai-embeddings',
  request: {
    member,
    path: '/v1/embeddings',
    modes: ['embedding'],
    everywhere: true,
    operationName: null,
    schemaAt: [],
    shape: null,
    asks: true,
    tied: null,
  },
  answer: { ...unreadAnswer, usage: openaiInputUsage, idHeader: 'x-request-id' },
  errors: openaiErrors,
  parameters: null,
  translation: { caller: null, target: null },
};
