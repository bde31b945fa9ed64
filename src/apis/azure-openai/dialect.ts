import type { Dialect } from '../api.ts';
import { openaiDialect, recogniseOpenAi } from '../openai/dialect.ts';

declare module '../names.ts' {
  interface DialectNames {
    'azure-openai': unknown;
  }
}

const deployment = /^\/openai\/deployments\/([^/]+)(\/.*)$/i;
const before = '/openai/deployments/'.length;

/** OpenAI's APIs on Azure: a path may name a deployment instead of a model. Requests are not translated to or from it. */
export const azureOpenAiDialect: Dialect = {
  ...openaiDialect,
  name: 'azure-openai',
  recognise: (head, path, lenient) => {
    const named = deployment.exec(path);
    if (named === null) return recogniseOpenAi(head, path, null, lenient);
    return recogniseOpenAi(head, named[2]!, { start: before, end: before + named[1]!.length }, lenient);
  },
  chatApi: null,
  keyHeader: (key) => ['api-key', key],
  keyHeaders: ['api-key'],
  ownHeaders: [],
  sharedHeaders: [],
  providers: {},
  catalogProvider: 'azure',
  deployments: true,
  signs: [{ header: 'api-key' }],
  paths: ['/openai/.*'],
  observedUsage: [],
  simulation: null,
};
