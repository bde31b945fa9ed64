import type { Api, Dialect } from '../api.ts';
import { commonFinishes } from '../common/finishes.ts';
import { openaiIds } from '../common/ids.ts';
import { plainLimitHeaders } from '../common/limit-headers.ts';
import { shortMs } from '../common/prompt-cache.ts';
import { known, readable } from '../common/recognition.ts';
import { plainNames } from '../common/tool-names.ts';
import { cohereDeltas, cohereErrors, cohereEvents, cohereReplay, cohereUsage, viewCohere } from './answer.ts';
import { cohereParameters, shapeCohere } from './parameters.ts';
import { cohereChat as member } from './read.ts';
import { CohereDecoder, CohereEncoder, readCohereAnswer, writeCohereAnswer } from './translate-answer.ts';
import { readCohere } from './translate-read.ts';
import { writeCohere } from './translate-write.ts';
import { cohereSimulation } from './simulator.ts';

declare module '../names.ts' {
  interface ApiNames {
    'cohere-chat': unknown;
  }
  interface DialectNames {
    cohere: unknown;
  }
}

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

/** Paths that are not rewritten: other APIs, and version 1 of chat. */
const observed =
  /\/v[12]\/(?:chat|embed|rerank|classify|tokenize|detokenize|generate|summarize|connectors|datasets|embed-jobs|finetuning)(?:\/|$)/i;

/** Cohere's API. */
export const cohereDialect: Dialect = {
  name: 'cohere',
  recognise: (head, path, lenient) => {
    if (/\/v2\/chat$/i.test(path)) return readable(head, { api: 'cohere-chat', operation: 'generate' }, null, null, lenient);
    return observed.test(path) ? { kind: 'observed', api: 'other-llm', model: null, reason: 'not-rewritable' } : known(path, null);
  },
  errorApi: 'cohere-chat',
  chatApi: 'cohere-chat',
  keyHeader: (key) => ['authorization', `Bearer ${key}`],
  keyHeaders: ['authorization'],
  ownHeaders: ['x-client-name'],
  sharedHeaders: [],
  // Cohere reports cached tokens, but not how long prompts stay in the cache or that they cost less.
  cachedAfter: ({ cachedRead }) => ({ tokens: cachedRead, ms: shortMs }),
  parameters: cohereParameters,
  providers: {},
  catalogProvider: null,
  deployments: false,
  signs: [],
  paths: ['/v2/(chat|embed|rerank)(/.*)?'],
  observedUsage: [{ members: ['billed_units'], reading: cohereUsage }],
  simulation: cohereSimulation,
};
