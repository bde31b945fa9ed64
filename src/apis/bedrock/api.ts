import type { Api } from '../api.ts';
import { plainEvent, plainStatus } from '../common/failure.ts';
import { unreadAnswer, unreadRequest } from '../common/opaque.ts';

/** Bedrock's runtime: requests are signed over their bytes, so they are never rewritten. */
export const bedrockApi: Api = {
  name: 'bedrock',
  request: unreadRequest,
  answer: unreadAnswer,
  errors: { body: ({ message }) => ({ message }), event: plainEvent, status: plainStatus },
  parameters: null,
  translation: { caller: null, target: null },
};
