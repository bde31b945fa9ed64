import { cachedAfter } from '../anthropic/dialect.ts';
import type { Dialect } from '../api.ts';
import { decoded, known } from '../common/recognition.ts';

declare module '../names.ts' {
  interface DialectNames {
    bedrock: unknown;
  }
}

const call = /^\/model\/([^/]+)\/(?:invoke|invoke-with-response-stream|converse|converse-stream|count-tokens)$/i;

/** Bedrock's runtime, observed only. */
export const bedrockDialect: Dialect = {
  name: 'bedrock',
  recognise: (_head, path) => {
    const found = call.exec(path);
    return found === null ? known(path, null) : { kind: 'observed', api: 'bedrock', model: decoded(found[1]!), reason: 'not-rewritable' };
  },
  errorApi: 'bedrock',
  chatApi: null,
  // Bedrock API keys are bearer tokens; Envoy makes the signatures.
  keyHeader: (key) => ['authorization', `Bearer ${key}`],
  keyHeaders: ['authorization', 'x-amz-security-token', 'x-amz-date', 'x-amz-content-sha256'],
  ownHeaders: [],
  sharedHeaders: [],
  cachedAfter,
  parameters: null,
  providers: {},
  catalogProvider: 'amazon',
  deployments: false,
  signs: [],
  paths: ['/model/.*'],
  observedUsage: [],
  simulation: null,
};
