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

/** A stored prompt without a version can be changed by its owner at any time. */
function versioned(body: Buffer, { start, end }: BodyMember): boolean {
  const prompt: unknown = JSON.parse(body.toString('utf8', start, end));
  return prompt === null || typeof (prompt as { readonly version?: unknown }).version === 'string';
}

function tied(members: readonly BodyMember[], body: Buffer): boolean {
  return members.some((one) => one.key === 'prompt' && !versioned(body, one));
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
