import type { Api } from '../api.ts';
import { commonFinishes } from '../common/finishes.ts';
import { anthropicIds } from '../common/ids.ts';
import { unreadAnswer } from '../common/opaque.ts';
import { plainNames } from '../common/tool-names.ts';
import { betaParameters } from './betas.ts';
import { messageDeltas } from './deltas.ts';
import { anthropicErrors } from './errors.ts';
import { messageEvents } from './events.ts';
import { anthropicLimitHeaders } from './limit-headers.ts';
import { anthropicParameters } from './parameters.ts';
import { anthropicMessages as member } from './read.ts';
import { messageFromStream, messageToStream } from './replay.ts';
import { AnthropicDecoder, AnthropicEncoder, readAnthropicAnswer, writeAnthropicAnswer } from './translate-answer.ts';
import { readAnthropic } from './translate-read.ts';
import { writeAnthropic } from './translate-write.ts';
import { anthropicUsage, unclearWrites } from './usage.ts';
import { viewMessage } from './view.ts';
import { shapeAnthropic } from './shape.ts';

declare module '../names.ts' {
  interface ApiNames {
    'anthropic-messages': unknown;
    'anthropic-count-tokens': unknown;
  }
}

/** The longer lifetime of the prompt cache, as in requests: the AI Protocol Manager does not report its tokens separately. */
const oneHour: Buffer = Buffer.from('"1h"');

/** Anthropic's messages. */
export const anthropicMessagesApi: Api = {
  name: 'anthropic-messages',
  request: {
    member,
    path: '/v1/messages',
    modes: ['chat'],
    everywhere: true,
    operationName: null,
    schemaAt: [
      ['output_config', 'format', 'schema'],
      ['output_format', 'schema'],
    ],
    shape: shapeAnthropic,
    asks: true,
    tied: null,
    headerParameters: betaParameters,
  },
  answer: {
    events: messageEvents,
    deltas: messageDeltas,
    usage: anthropicUsage,
    view: viewMessage,
    finishes: commonFinishes,
    usageEvent: null,
    arrayStreams: false,
    longEnd: false,
    managed: { unless: oneHour },
    unclear: { bytes: oneHour, usage: unclearWrites },
    idHeader: 'request-id',
    limitHeaders: anthropicLimitHeaders,
    replay: { toStream: messageToStream, fromStream: messageFromStream },
  },
  errors: anthropicErrors,
  parameters: anthropicParameters,
  translation: {
    caller: {
      read: readAnthropic,
      ids: anthropicIds,
      write: writeAnthropicAnswer,
      encoder: (context) => new AnthropicEncoder(context),
      objectArgs: true,
    },
    target: {
      write: writeAnthropic,
      headers: { 'anthropic-version': '2023-06-01' },
      toolNames: plainNames,
      takes: ({ audioInputs, jsonOutput }) => audioInputs === 0 && jsonOutput !== 'object',
      read: readAnthropicAnswer,
      decoder: (sink) => new AnthropicDecoder(sink),
    },
  },
};

/** Anthropic's token count of a prompt: not billed. */
export const anthropicCountApi: Api = {
  name: 'anthropic-count-tokens',
  request: {
    member,
    path: '/v1/messages/count_tokens',
    modes: ['chat'],
    everywhere: true,
    operationName: null,
    schemaAt: [],
    shape: null,
    asks: true,
    tied: null,
  },
  answer: { ...unreadAnswer, idHeader: 'request-id', limitHeaders: anthropicLimitHeaders },
  errors: anthropicErrors,
  parameters: null,
  translation: { caller: null, target: null },
};
