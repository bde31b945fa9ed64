import type { Api } from '../api.ts';
import { commonFinishes } from '../common/finishes.ts';
import { openaiIds } from '../common/ids.ts';
import { plainLimitHeaders } from '../common/limit-headers.ts';
import { plainNames } from '../common/tool-names.ts';
import { cohereErrors, cohereEvents, cohereReplay, cohereUsage, viewCohere } from './answer.ts';
import { cohereDeltas } from './deltas.ts';
import { cohereParameters } from './parameters.ts';
import { cohereChat as member } from './read.ts';
import { CohereDecoder, CohereEncoder, readCohereAnswer, writeCohereAnswer } from './translate-answer.ts';
import { readCohere } from './translate-read.ts';
import { writeCohere } from './translate-write.ts';
import { shapeCohere } from './shape.ts';

/** Cohere's chat, version 2. */
export const cohereChatApi: Api = {
  name: 'cohere-chat',
  request: {
    member,
    path: '/v2/chat',
    modes: ['chat'],
    everywhere: true,
    operationName: null,
    schemaAt: [
      ['response_format', 'json_schema'],
      ['response_format', 'schema'],
    ],
    shape: shapeCohere,
    asks: true,
    // Never tied: documents and connectors are part of the request.
    tied: null,
  },
  answer: {
    events: cohereEvents,
    deltas: cohereDeltas,
    usage: cohereUsage,
    view: viewCohere,
    finishes: new Map([...commonFinishes, ['complete', 'stop'], ['tool_call', 'tools']]),
    usageEvent: null,
    arrayStreams: false,
    longEnd: false,
    managed: false,
    idHeader: null,
    limitHeaders: plainLimitHeaders,
    replay: cohereReplay,
  },
  errors: cohereErrors,
  parameters: cohereParameters,
  translation: {
    caller: {
      read: readCohere,
      ids: openaiIds,
      write: writeCohereAnswer,
      encoder: (context) => new CohereEncoder(context),
      objectArgs: false,
    },
    target: {
      write: writeCohere,
      headers: {},
      toolNames: plainNames,
      takes: ({ audioInputs }) => audioInputs === 0,
      read: readCohereAnswer,
      decoder: (sink) => new CohereDecoder(sink),
    },
  },
};
