import type { Api } from '../api.ts';
import { commonFinishes } from '../common/finishes.ts';
import { plainLimitHeaders } from '../common/limit-headers.ts';
import { openaiIds } from '../common/ids.ts';
import { openaiParameters } from '../openai/parameters.ts';
import { openaiUsage } from '../openai/usage.ts';
import type { BodyMember } from '../types.ts';
import { responseDeltas } from './deltas.ts';
import { responsesErrors } from './errors.ts';
import { responsesEvents } from './events.ts';
import { openaiResponses as member } from './read.ts';
import { responseFromStream, responseToStream } from './replay.ts';
import { OpenAiResponsesEncoder, writeOpenAiResponsesAnswer } from './translate-answer.ts';
import { readOpenAiResponses } from './translate-read.ts';
import { viewResponse } from './view.ts';
import { shapeOpenai } from '../openai/shape.ts';

declare module '../names.ts' {
  interface ApiNames {
    'openai-responses': unknown;
  }
}

/** A stored prompt may have tools of its own, and without a version it can be changed by its owner at any time. */
function tied(members: readonly BodyMember[], body: Buffer): boolean {
  return members.some(({ key, start, end }) => key === 'prompt' && body.toString('latin1', start, end) !== 'null');
}

/** OpenAI's Responses API. Its requests are translated to other APIs; none are translated to it, since not every provider has it. */
export const openaiResponsesApi: Api = {
  name: 'openai-responses',
  request: {
    member,
    path: '/v1/responses',
    modes: ['chat', 'responses'],
    everywhere: false,
    operationName: null,
    schemaAt: [['text', 'format', 'schema']],
    shape: shapeOpenai,
    asks: true,
    tied,
  },
  answer: {
    events: responsesEvents,
    deltas: responseDeltas,
    usage: openaiUsage,
    view: viewResponse,
    finishes: commonFinishes,
    usageEvent: null,
    arrayStreams: false,
    longEnd: true,
    managed: true,
    idHeader: 'x-request-id',
    limitHeaders: plainLimitHeaders,
    replay: { toStream: responseToStream, fromStream: responseFromStream },
  },
  errors: responsesErrors,
  parameters: openaiParameters,
  translation: {
    caller: {
      read: readOpenAiResponses,
      ids: openaiIds,
      write: writeOpenAiResponsesAnswer,
      encoder: (context) => new OpenAiResponsesEncoder(context),
      objectArgs: false,
    },
    target: null,
  },
};
