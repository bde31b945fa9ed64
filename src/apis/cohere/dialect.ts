import type { Dialect } from '../api.ts';
import { shortMs } from '../common/prompt-cache.ts';
import { known, readable } from '../common/recognition.ts';
import { cohereParameters } from './parameters.ts';

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
};
