import type { Dialect } from '../api.ts';
import { hourMs, shortMs } from '../common/prompt-cache.ts';
import { known, readable } from '../common/recognition.ts';
import type { Usage } from '../types.ts';
import { anthropicParameters } from './parameters.ts';
import { anthropicSimulation } from './simulator.ts';
import { anthropicUsage } from './usage.ts';

declare module '../names.ts' {
  interface DialectNames {
    anthropic: unknown;
  }
}

/** Only the parts that the app marks are cached; a read restarts their lifetime. */
export function cachedAfter({ cachedRead, cacheWrite5m, cacheWrite1h }: Usage): { readonly tokens: number; readonly ms: number } {
  return { tokens: cachedRead + cacheWrite5m + cacheWrite1h, ms: cacheWrite1h > 0 ? hourMs : shortMs };
}

/** Anthropic's API. */
export const anthropicDialect: Dialect = {
  name: 'anthropic',
  recognise: (head, path, lenient) => {
    if (/\/messages$/i.test(path)) return readable(head, { api: 'anthropic-messages', operation: 'generate' }, null, null, lenient);
    if (/\/messages\/count_tokens$/i.test(path))
      return readable(head, { api: 'anthropic-count-tokens', operation: 'count' }, null, null, lenient);
    return known(path, null);
  },
  errorApi: 'anthropic-messages',
  chatApi: 'anthropic-messages',
  keyHeader: (key) => ['x-api-key', key],
  keyHeaders: ['x-api-key'],
  ownHeaders: ['anthropic-version', 'anthropic-beta', 'anthropic-dangerous-direct-browser-access'],
  sharedHeaders: ['anthropic-version', 'anthropic-beta', 'anthropic-dangerous-direct-browser-access'],
  cachedAfter,
  parameters: anthropicParameters,
  providers: { anthropic: { endpoint: 'https://api.anthropic.com', hosts: ['api.anthropic.com'], pathPrefix: '/anthropic' } },
  catalogProvider: null,
  deployments: false,
  signs: [{ header: 'anthropic-version' }, { header: 'authorization', regex: '(?i:bearer) +sk-ant-.*' }],
  paths: ['/v1/(messages|complete|organizations)(/.*)?'],
  observedUsage: [
    { members: ['cache_read_input_tokens', 'cache_creation_input_tokens', 'cache_creation', 'server_tool_use'], reading: anthropicUsage },
  ],
  simulation: anthropicSimulation,
};
