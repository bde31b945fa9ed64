import type { Dialect } from '../api.ts';
import { shortMs } from '../common/prompt-cache.ts';
import { known, readable } from '../common/recognition.ts';
import type { Recognition, RequestHead } from '../types.ts';
import { geminiParameters } from './parameters.ts';
import { geminiSimulation } from './simulator.ts';
import { geminiUsage, interactionUsage } from './usage.ts';

declare module '../names.ts' {
  interface DialectNames {
    gemini: unknown;
  }
}

const call = /\/models\/([^/:]+):(generateContent|streamGenerateContent)$/i;

function recognise(head: RequestHead, path: string, lenient: boolean): Recognition {
  const found = call.exec(path);
  if (found === null) return known(path, null);
  const start = path.length - found[2]!.length - 1 - found[1]!.length;
  const span = { start, end: start + found[1]!.length };
  const stream = found[2]!.toLowerCase() === 'streamgeneratecontent';
  return readable(head, { api: 'gemini-generate', operation: 'generate' }, span, stream, lenient);
}

/** Google's API of Gemini. */
export const geminiDialect: Dialect = {
  name: 'gemini',
  recognise,
  errorApi: 'gemini-generate',
  chatApi: 'gemini-generate',
  keyHeader: (key) => ['x-goog-api-key', key],
  keyHeaders: ['x-goog-api-key'],
  ownHeaders: ['x-goog-api-client', 'x-goog-user-project'],
  sharedHeaders: [],
  cachedAfter: ({ cachedRead }) => ({ tokens: cachedRead, ms: shortMs }),
  parameters: geminiParameters,
  providers: {
    google: { endpoint: 'https://generativelanguage.googleapis.com', hosts: ['generativelanguage.googleapis.com'], pathPrefix: '/google' },
  },
  catalogProvider: null,
  deployments: false,
  signs: [
    { header: 'x-goog-api-key' },
    { query: 'key' },
    { header: 'x-goog-api-client' },
    { header: 'authorization', regex: '(?i:bearer) +ya29\\..*' },
  ],
  paths: [
    '/(v1alpha|v1beta[0-9]*|upload|download|resumable|ws)/.*',
    '/v1/(models|files)/[^/]+(:|%3[aA]).*',
    '/v1/(auth_tokens|cachedContents|corpora|fileSearchStores)(/.*)?',
    '/v1/(generatedFiles|interactions|operations)(/.*)?',
    // Limited to locations because OpenAI has projects, too.
    '/v1/projects/[^/]+/locations(/.*)?',
    '/v1/(publishers|tunedModels)(/.*)?',
  ],
  observedUsage: [
    { members: ['promptTokenCount'], reading: geminiUsage },
    { members: ['total_input_tokens'], reading: interactionUsage },
  ],
  simulation: geminiSimulation,
};
