import type { Api } from '../api.ts';
import { plainEvent, plainStatus } from '../common/failure.ts';
import { unreadAnswer, unreadRequest } from '../common/opaque.ts';
import { bedrockEvents } from './events.ts';
import { bedrockUsage } from './usage.ts';

declare module '../names.ts' {
  interface ApiNames {
    bedrock: unknown;
  }
}

/** Bedrock's runtime: requests are signed over their bytes, so they are never rewritten. */
export const bedrockApi: Api = {
  name: 'bedrock',
  request: unreadRequest,
  answer: { ...unreadAnswer, events: bedrockEvents, usage: bedrockUsage },
  errors: { body: ({ message }) => ({ message }), event: plainEvent, status: plainStatus },
  parameters: null,
  translation: { caller: null, target: null },
};
