import type { Api } from '../api.ts';
import { commonFinishes } from '../common/finishes.ts';
import { plainLimitHeaders } from '../common/limit-headers.ts';
import { choiceDeltas } from '../openai/deltas.ts';
import { openaiErrors } from '../openai/errors.ts';
import { openaiPrompt as member } from '../openai/read.ts';
import { isUsageEvent } from '../openai/usage-chunk.ts';
import { openaiUsage } from '../openai/usage.ts';
import { chatEvents } from '../openai-chat/events.ts';
import { completionFromStream, completionToStream } from './replay.ts';
import { viewCompletion } from './view.ts';
import { shapeOpenai } from '../openai/shape.ts';

declare module '../names.ts' {
  interface ApiNames {
    'openai-completions': unknown;
  }
}

/** OpenAI's legacy completions: a prompt is text to continue exactly, not a question, so it is never matched by meaning. */
export const openaiCompletionsApi: Api = {
  name: 'openai-completions',
  request: {
    member,
    path: '/v1/completions',
    modes: ['completion'],
    everywhere: true,
    operationName: 'text_completion',
    schemaAt: [],
    shape: shapeOpenai,
    asks: false,
    tied: null,
  },
  answer: {
    events: chatEvents,
    deltas: choiceDeltas,
    usage: openaiUsage,
    view: viewCompletion,
    finishes: commonFinishes,
    usageEvent: isUsageEvent,
    arrayStreams: false,
    longEnd: false,
    managed: false,
    idHeader: 'x-request-id',
    limitHeaders: plainLimitHeaders,
    replay: { toStream: completionToStream, fromStream: completionFromStream },
  },
  errors: openaiErrors,
  parameters: null,
  translation: { caller: null, target: null },
};
