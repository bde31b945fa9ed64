import type { PassReason } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';

/** What a request that is not decided was for. */
export interface ObservedCall {
  readonly method: string;
  /** The provider's path without its query, with `…` for what names one of the app's own things; bounded by limits.callPathUnits. */
  readonly path: string;
  /** What it is about: `images`, `files`, `batches`, `models` …; null: not known. */
  readonly about: string | null;
  /** It only lists, fetches or deletes what is there: nothing is billed by tokens. */
  readonly reads: boolean;
}

/** Kinds of things that providers' paths name, by the segment; longer ones first. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/\/images?(?:\/|$)/i, 'images'],
  [/\/audio(?:\/|$)/i, 'audio'],
  [/\/videos?(?:\/|$)/i, 'videos'],
  [/\/(?:messages\/)?batches(?:\/|$)/i, 'batches'],
  [/\/vector_stores(?:\/|$)/i, 'vector-stores'],
  [/\/(?:files|uploads|generatedFiles|fileSearchStores)(?:[/:]|$)/i, 'files'],
  [/\/moderations(?:\/|$)/i, 'moderations'],
  [/\/re-?rank(?:\/|$)/i, 'rerank'],
  [/\/fine_tuning(?:\/|$)/i, 'fine-tuning'],
  [/\/(?:assistants|threads)(?:\/|$)/i, 'assistants'],
  [/\/conversations(?:\/|$)/i, 'conversations'],
  [/\/realtime(?:\/|$)/i, 'realtime'],
  [/\/containers(?:\/|$)/i, 'containers'],
  [/\/cachedContents(?:\/|$)/i, 'cached-contents'],
  [/:(?:embedContent|batchEmbedContents)$/i, 'embeddings'],
  [/:countTokens$/i, 'count-tokens'],
  [/:predict$/i, 'predict'],
  [/\/model\/[^/]+\/(?:invoke|converse)/i, 'bedrock'],
  [/\/(?:responses|chat\/completions)(?:\/|$)/i, 'stored-answers'],
  [/\/models(?:\/|$)/i, 'models'],
];

/** Ids that providers make: a prefix and a run of letters and digits, or such a run alone. */
const madeId = /^(?:[a-z]+[-_])?(?=[^/]*\d)[A-Za-z0-9_-]{16,}$/;

/** Names a call by its line. `reason`: why it was not decided; a WebSocket reads nothing by being opened. */
export function callOf(method: string, path: string, reason: PassReason): ObservedCall {
  const query = path.indexOf('?');
  const bare = query === -1 ? path : path.slice(0, query);
  const about = kinds.find(([pattern]) => pattern.test(bare))?.[1] ?? null;
  const shown = bare
    .split('/')
    .map((segment) => (madeId.test(segment) ? '…' : segment))
    .join('/');
  return {
    method: method.slice(0, mostMethod),
    path: shown.slice(0, limits.callPathUnits),
    about,
    reads: reason !== 'upgrade' && readingMethods.has(method),
  };
}

const mostMethod = 16;
const readingMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);
