import type { PassReason } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';

/** The purpose of a request that is not decided. */
export interface ObservedCall {
  readonly method: string;
  /** The provider's path without its query, with `…` in place of ids; bounded by limits.callPathUnits. */
  readonly path: string;
  /** The kind of resource: `images`, `files`, `batches`, `models` …; null if not known. */
  readonly about: string | null;
  /** The call only lists, fetches or deletes: nothing is billed by tokens. */
  readonly reads: boolean;
  /** No provider charges for the call: it reads, stores, counts or cancels. */
  readonly free: boolean;
}

/** A kind of resource. Patterns are those of the path, without its query; `true` is every path of the kind. */
interface Kind {
  readonly about: string;
  readonly pattern: RegExp;
  /** Calls that no provider charges for, besides those that only read: what is stored is billed when a model reads it. */
  readonly free?: RegExp | true;
  /** Calls whose answer says what they used themselves. Other answers have counts of other calls, or of nothing yet. */
  readonly counts?: RegExp | true;
  /** Calls whose body names the model that they ask for, if their path does not; `inside`: maybe below the top. */
  readonly names?: 'top' | 'inside';
}

/** Kinds of resources in providers' paths; the first that matches counts. */
const kinds: readonly Kind[] = [
  {
    about: 'count-tokens',
    pattern: /[/:](?:count[-_]?tokens|computeTokens|input_tokens|(?:de)?tokenize(?:-text)?)$|\/models\/count-tokens(?:[@:]|$)/i,
    free: true,
    names: 'top',
  },
  { about: 'images', pattern: /\/images?(?:\/|$)/i, counts: true, names: 'top' },
  { about: 'audio', pattern: /\/audio(?:\/|$)/i, counts: true, names: 'top' },
  { about: 'videos', pattern: /\/videos?(?:\/|$)|:(?:predictLongRunning|fetchPredictOperation)$/i, free: /:fetch/i, names: 'top' },
  {
    about: 'batches',
    pattern:
      /\/(?:(?:messages\/)?batches|batch\/jobs|batchPredictionJobs|embed-jobs|async-invoke)(?:[/:]|$)|:(?:batchGenerateContent|asyncBatchEmbedContent)$/i,
    names: 'inside',
  },
  { about: 'vector-stores', pattern: /\/vector_stores(?:\/|$)/i, free: /\/vector_stores(?:\/[^/]+)?(?:\/file(?:s|_batches))?$/i },
  { about: 'containers', pattern: /\/containers(?:\/|$)/i, free: /\/files$/i },
  { about: 'evals', pattern: /\/evals(?:\/|$)/i, free: /(?<!\/runs)$/i, names: 'inside' },
  {
    about: 'files',
    pattern: /\/(?:files|uploads|generatedFiles|fileSearchStores|datasets|libraries)(?:[/:]|$)/i,
    // These two are indexed, which costs something.
    free: /^(?!.*\/(?:fileSearchStores|libraries)\/)/i,
  },
  { about: 'moderations', pattern: /\/moderations(?:\/|$)/i, counts: true, names: 'top' },
  { about: 'guardrails', pattern: /\/guardrail(?:\/|$)/i },
  { about: 'rerank', pattern: /\/(?:re-?rank|rankings?|score)(?:\/|$)|:rank$/i, counts: true, names: 'top' },
  { about: 'classification', pattern: /\/(?:classify|classifications)(?:\/|$)/i, counts: true, names: 'top' },
  { about: 'ocr', pattern: /\/ocr(?:\/|$)/i, counts: true, names: 'top' },
  {
    about: 'embeddings',
    pattern: /\/(?:(?:multimodal|contextualized)-?embeddings|embed)(?:\/|$)|:(?:embedContent|batchEmbedContents)$/i,
    counts: true,
    names: 'top',
  },
  { about: 'fine-tuning', pattern: /\/(?:fine[-_]?tuning|fine-tunes?)(?:\/|$)/i, names: 'top' },
  {
    about: 'assistants',
    pattern: /\/(?:assistants|threads)(?:\/|$)/i,
    free: /(?<!\/(?:runs|submit_tool_outputs))$/i,
    counts: /\/(?:runs|submit_tool_outputs)$/i,
    names: 'top',
  },
  // Storing turns is free; providers whose conversations also answer say what that used.
  { about: 'conversations', pattern: /\/conversations(?:\/|$)/i, free: true, counts: true, names: 'top' },
  {
    about: 'realtime',
    pattern: /\/realtime(?:\/|$)|[:.]bidiGenerateContent(?:Constrained)?$/i,
    // A key for a session is not free: what is done with it passes no Envoy.
    names: 'inside',
  },
  { about: 'cached-contents', pattern: /\/cachedContents(?:\/|$)/i, names: 'top' },
  { about: 'interactions', pattern: /\/interactions$/i, counts: true, names: 'top' },
  { about: 'interactions', pattern: /\/interactions\//i, free: true },
  { about: 'predict', pattern: /:(?:predict|rawPredict|streamRawPredict)$/i, counts: true, names: 'top' },
  { about: 'bedrock', pattern: /\/model\/[^/]+\/(?:invoke|converse)/i, counts: true },
  {
    about: 'chat',
    pattern:
      /\/(?:chat\/completions|agents\/completions|v1\/chat|api\/(?:chat|generate)|complete)$|:(?:generateContent|streamGenerateContent)$/i,
    counts: true,
    names: 'top',
  },
  { about: 'compaction', pattern: /\/responses\/compact$/i, counts: true, names: 'top' },
  { about: 'stored-answers', pattern: /\/(?:responses|chat\/completions|chat\/deferred-completion)(?:\/|$)/i, free: true },
  { about: 'skills', pattern: /\/skills(?:\/|$)/i, free: true },
  {
    about: 'account',
    pattern: /\/(?:organizations?|credits|api-key|keys?|users?(?:\/me)?\/balance)(?:\/|$)|\/v1\/generation$/i,
    free: true,
  },
  {
    about: 'models',
    pattern: /\/(?:models|(?:language|embedding|image-generation|video-generation)-models|api\/(?:tags|show|ps))(?:\/|$)/i,
  },
];

/** What stops something that was asked for before. */
const freeActions = /[/:](?:cancel|pause|resume)$/i;

/** Ids generated by providers: letters and digits, with or without a prefix. */
const madeId = /^(?:[a-z]+[-_])?(?=[^/]*\d)[A-Za-z0-9_-]{16,}$/;
/** The segment after one of these is a model. */
const beforeModel: ReadonlySet<string> = new Set(['model', 'models', 'deployments']);

/** Describes a call by its method and path. `reason`: why it was not decided; opening a WebSocket does not count as a read. */
export function callOf(method: string, path: string, reason: PassReason): ObservedCall {
  const query = path.indexOf('?');
  const bare = query === -1 ? path : path.slice(0, query);
  const listed = method === 'GET' && /\/chat\/completions$/i.test(bare);
  const kind = listed ? undefined : kindOf(bare);
  const shown = bare
    .split('/')
    .map((segment, index, all) => (madeId.test(segment) && !beforeModel.has(all[index - 1] ?? '') ? '…' : segment))
    .join('/');
  const reads = reason !== 'upgrade' && readingMethods.has(method);
  return {
    method: method.slice(0, mostMethod),
    path: shown.slice(0, limits.callPathUnits),
    about: listed ? 'stored-answers' : (kind?.about ?? null),
    reads,
    free: reads || (reason !== 'upgrade' && (freeActions.test(bare) || applies(kind?.free, bare))),
  };
}

function kindOf(path: string): Kind | undefined {
  return kinds.find(({ pattern }) => pattern.test(path));
}

function applies(rule: RegExp | true | undefined, path: string): boolean {
  return rule === true || (rule !== undefined && rule.test(path));
}

const mostMethod = 16;
const readingMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** Whether the usage in the answer to an observed call is that of the call. */
export function usageCounts({ path, about, reads }: ObservedCall): boolean {
  return !reads && (about === null || applies(kindOf(path)?.counts, path));
}

/** Where a call's body names the model that it asks for, if its path does not: at the top or inside; null if nowhere. */
export function namesModel({ path, about, reads }: ObservedCall): 'top' | 'inside' | null {
  if (reads) return null;
  return about === null ? 'top' : (kindOf(path)?.names ?? null);
}
