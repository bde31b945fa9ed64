import type { Api } from '../api.ts';
import { commonFinishes } from '../common/finishes.ts';
import { plainLimitHeaders } from '../common/limit-headers.ts';
import { geminiIds } from '../common/ids.ts';
import { dataEvent } from '../common/event-text.ts';
import { contentDeltas } from './deltas.ts';
import { geminiErrors } from './errors.ts';
import { contentEvents } from './events.ts';
import { geminiParameters } from './parameters.ts';
import { geminiGenerate as member } from './read.ts';
import { contentFromChunks } from './replay.ts';
import { GeminiDecoder, GeminiEncoder, readGeminiAnswer, writeGeminiAnswer } from './translate-answer.ts';
import { readGemini } from './translate-read.ts';
import { writeGemini } from './translate-write.ts';
import { geminiUsage } from './usage.ts';
import { viewContent } from './view.ts';
import { shapeGemini } from './shape.ts';

declare module '../names.ts' {
  interface ApiNames {
    'gemini-generate': unknown;
  }
}

/** Gemini's generateContent and streamGenerateContent. */
export const geminiGenerateApi: Api = {
  name: 'gemini-generate',
  request: {
    member,
    path: null,
    modes: ['chat'],
    everywhere: true,
    operationName: 'generate_content',
    schemaAt: [['generationConfig', 'responseJsonSchema']],
    shape: shapeGemini,
    asks: true,
    tied: null,
  },
  answer: {
    events: contentEvents,
    deltas: contentDeltas,
    usage: geminiUsage,
    view: viewContent,
    finishes: commonFinishes,
    usageEvent: null,
    arrayStreams: true,
    longEnd: true,
    managed: true,
    idHeader: null,
    limitHeaders: plainLimitHeaders,
    replay: { toStream: (answer) => [dataEvent(answer)], fromStream: contentFromChunks },
  },
  errors: geminiErrors,
  parameters: geminiParameters,
  translation: {
    caller: {
      read: readGemini,
      ids: geminiIds,
      write: writeGeminiAnswer,
      encoder: (context, framing) => new GeminiEncoder(context, framing),
      objectArgs: true,
    },
    target: {
      write: writeGemini,
      headers: {},
      toolNames: { first: /^[a-zA-Z_]/, bad: /[^a-zA-Z0-9_.:-]/g, length: 64 },
      takes: () => true,
      read: readGeminiAnswer,
      decoder: (sink) => new GeminiDecoder(sink),
    },
  },
};
