import type { Api } from '../api.ts';
import { commonFinishes } from '../common/finishes.ts';
import { plainLimitHeaders } from '../common/limit-headers.ts';
import { openaiIds } from '../common/ids.ts';
import { plainNames } from '../common/tool-names.ts';
import { choiceDeltas } from '../openai/deltas.ts';
import { openaiErrors } from '../openai/errors.ts';
import { openaiParameters } from '../openai/parameters.ts';
import { isUsageEvent } from '../openai/usage-chunk.ts';
import { openaiUsage } from '../openai/usage.ts';
import type { BodyMember } from '../types.ts';
import { chatEvents } from './events.ts';
import { openaiChat as member } from './read.ts';
import { chatFromStream, chatToStream } from './replay.ts';
import { OpenAiChatDecoder, OpenAiChatEncoder, readOpenAiChatAnswer, writeOpenAiChatAnswer } from './translate-answer.ts';
import { readOpenAiChat } from './translate-read.ts';
import { writeOpenAiChat } from './translate-write.ts';
import { viewChat } from './view.ts';
import { shapeOpenai } from '../openai/shape.ts';

declare module '../names.ts' {
  interface ApiNames {
    'openai-chat': unknown;
  }
}

/** Whether the app asks the provider to store the answer, for evaluations or training: a state change if explicitly requested. */
function storedOnPurpose(members: readonly BodyMember[], body: Buffer): boolean {
  return members.some(({ key, start, end }) => key === 'store' && body.toString('latin1', start, end) === 'true');
}

/** Chat completions of OpenAI and of all compatible providers. */
export const openaiChatApi: Api = {
  name: 'openai-chat',
  request: {
    member,
    path: '/v1/chat/completions',
    modes: ['chat'],
    everywhere: true,
    operationName: null,
    schemaAt: [['response_format', 'json_schema', 'schema']],
    shape: shapeOpenai,
    asks: true,
    tied: storedOnPurpose,
  },
  answer: {
    events: chatEvents,
    deltas: choiceDeltas,
    usage: openaiUsage,
    view: viewChat,
    finishes: commonFinishes,
    usageEvent: isUsageEvent,
    arrayStreams: false,
    longEnd: false,
    managed: true,
    idHeader: 'x-request-id',
    limitHeaders: plainLimitHeaders,
    replay: { toStream: chatToStream, fromStream: chatFromStream },
  },
  errors: openaiErrors,
  parameters: openaiParameters,
  translation: {
    caller: {
      read: readOpenAiChat,
      ids: openaiIds,
      write: writeOpenAiChatAnswer,
      encoder: (context) => new OpenAiChatEncoder(context),
      objectArgs: false,
    },
    target: {
      write: writeOpenAiChat,
      headers: {},
      toolNames: plainNames,
      takes: () => true,
      read: readOpenAiChatAnswer,
      decoder: (sink) => new OpenAiChatDecoder(sink),
    },
  },
};
