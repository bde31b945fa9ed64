import type { Dialect } from '../api.ts';
import { decoded, known, readable, type ApiCall } from '../common/recognition.ts';
import { shortMs } from '../common/prompt-cache.ts';
import { ollamaUsage } from './usage.ts';
import type { Recognition, RequestHead, Span, Usage } from '../types.ts';
import { openaiParameters } from './parameters.ts';
import { openaiSimulation } from './simulator.ts';

declare module '../names.ts' {
  interface DialectNames {
    openai: unknown;
  }
}

/** OpenAI's own paths, after any base such as /v1, /openai/v1 or /api/v3. */
const calls: readonly (readonly [string, ApiCall])[] = [
  ['/chat/completions', { api: 'openai-chat', operation: 'generate' }],
  ['/completions', { api: 'openai-completions', operation: 'generate' }],
  ['/responses', { api: 'openai-responses', operation: 'generate' }],
  ['/embeddings', { api: 'openai-embeddings', operation: 'embed' }],
];

/** Classifies a call of OpenAI's API. `modelSpan`: position of the model in the head's path, as in Azure's paths. */
export function recogniseOpenAi(head: RequestHead, path: string, modelSpan: Span | null, lenient: boolean): Recognition {
  const lower = path.toLowerCase();
  // A call of an agent names no model.
  if (lower.endsWith('/agents/completions')) return known(path, null);
  for (let at = 0; at < calls.length; at++) {
    const call = calls[at]!;
    if (lower.endsWith(call[0])) return readable(head, call[1], modelSpan, null, lenient);
  }
  return known(path, modelSpan === null ? null : decoded(head.path.slice(modelSpan.start, modelSpan.end)));
}

/** OpenAI automatically caches prompts of at least `least` tokens, in steps of `step` tokens. */
const automatic = { least: 1_024, step: 128 };

function cachedAfter({ cachedRead, totalInput }: Usage): { readonly tokens: number; readonly ms: number } {
  return { tokens: totalInput < automatic.least ? cachedRead : Math.floor(totalInput / automatic.step) * automatic.step, ms: shortMs };
}

/** Common to OpenAI's APIs and all compatible providers. */
export const openaiDialect: Dialect = {
  name: 'openai',
  recognise: (head, path, lenient) => recogniseOpenAi(head, path, null, lenient),
  errorApi: 'openai-chat',
  chatApi: 'openai-chat',
  keyHeader: (key) => ['authorization', `Bearer ${key}`],
  keyHeaders: ['authorization'],
  ownHeaders: ['openai-beta', 'openai-organization', 'openai-project'],
  sharedHeaders: ['openai-beta'],
  cachedAfter,
  parameters: openaiParameters,
  providers: {
    openai: { endpoint: 'https://api.openai.com', hosts: ['api.openai.com'], pathPrefix: '/openai-api' },
    mistral: { endpoint: 'https://api.mistral.ai', hosts: ['api.mistral.ai'], pathPrefix: '/mistral' },
    deepseek: { endpoint: 'https://api.deepseek.com', hosts: ['api.deepseek.com'], pathPrefix: '/deepseek' },
  },
  catalogProvider: null,
  deployments: false,
  signs: [
    { header: 'authorization', regex: '(?i:bearer) +sk-([^a].*|a([^n].*)?|an([^t].*)?|ant([^-].*)?)?' },
    { header: 'openai-organization' },
    { header: 'openai-project' },
  ],
  // OpenAI has no path of its own: every other provider's /v1 looks the same.
  paths: [],
  observedUsage: [{ members: ['prompt_eval_count', 'eval_count'], reading: ollamaUsage }],
  simulation: openaiSimulation,
};
