import { appKeyHeaders } from '../apis/key-headers.ts';
import { dialects } from '../apis/registry.ts';
import { apiHeaders } from '../apis/translate.ts';
import type { HeaderMap, HeaderMutation } from '../lib/headers.ts';

/**
 * Request headers that may follow a request to another provider than the app's. Everything else stays behind: keys, cookies, account names,
 * and what an app or a proxy of its own made up. Names that end in `*` are prefixes.
 */
const mayCross: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'connection',
  'content-encoding',
  'content-language',
  'content-length',
  'content-type',
  'expect',
  'host',
  'idempotency-key',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-request-id',
]);
/** These another provider of the same API needs; a translated request brings its own. */
const ofTheApi: ReadonlySet<string> = new Set(Object.values(dialects).flatMap(({ sharedHeaders }) => sharedHeaders));
/** Envoy's and Sluice's own, which lead a request through Envoy, and which Envoy takes away before it leaves. */
const internal = /^(?::|x-envoy-|x-sluice-|x-forwarded-(?:proto|for)$|x-b3-)/;

/** Query parameters that may: how an answer is framed, and an API's version. */
const mayCrossQuery: ReadonlySet<string> = new Set(['alt', 'api-version', 'beta']);

/** The headers of a request that are for the app's own provider and API alone, as they came. */
export function ownHeadersOf(headers: HeaderMap): (readonly [string, string])[] {
  const own: (readonly [string, string])[] = [];
  for (const [name, value] of headers.entries()) if (!mayCross.has(name) && !internal.test(name)) own.push([name, value]);
  return own;
}

/** The same, read when somebody asks: most requests stay with their own provider. */
export class OwnHeaders {
  readonly #headers: HeaderMap;
  #list: (readonly [string, string])[] | null = null;

  constructor(headers: HeaderMap) {
    this.#headers = headers;
  }

  get list(): readonly (readonly [string, string])[] {
    return (this.#list ??= ownHeadersOf(this.#headers));
  }
}

/** Names of headers to take away: `more` and those of `own`, but for what the API needs and what is set anew. */
export function removedNames(
  own: readonly (readonly [string, string])[],
  more: readonly string[],
  set: readonly (readonly [string, string])[],
): readonly string[] {
  const kept = new Set(set.map(([name]) => name));
  return [...new Set([...more, ...own.flatMap(([name]) => (ofTheApi.has(name) ? [] : [name]))])].filter((name) => !kept.has(name));
}

/** Header changes that put back the app's own headers, and take away what an attempt before it brought. */
export function ownKeys(own: readonly (readonly [string, string])[]): HeaderMutation {
  const names = new Set(own.map(([name]) => name));
  return { set: own, remove: [...appKeyHeaders, ...apiHeaders].filter((name) => !names.has(name)) };
}

/** Header changes for another provider than the app's, whose key is in `keys`. `own`: the app's own headers; `more`: names of what is the API's alone. */
export function strangeKeys(
  own: readonly (readonly [string, string])[],
  keys: HeaderMutation,
  more: readonly string[] = [],
): HeaderMutation {
  return { set: keys.set, remove: removedNames(own, [...keys.remove, ...more], keys.set) };
}

/** The path for the app's own provider where the gateway's key goes along: without keys in its query. */
export function withoutKeys(path: string): string {
  const mark = path.indexOf('?');
  if (mark === -1) return path;
  const parts = path.slice(mark + 1).split('&');
  const kept = parts.filter((part) => !/^(?:key|api[-_]?key|access_token|subscription-key)$/i.test(part.split('=', 1)[0]!));
  if (kept.length === parts.length) return path;
  return kept.length === 0 ? path.slice(0, mark) : `${path.slice(0, mark)}?${kept.join('&')}`;
}

/** The path for another provider: without the query's keys and whatever else is the app's own. */
export function crossingPath(path: string): string {
  const mark = path.indexOf('?');
  if (mark === -1) return path;
  const kept = path
    .slice(mark + 1)
    .split('&')
    .filter((part) => mayCrossQuery.has(part.split('=', 1)[0]!));
  return kept.length === 0 ? path.slice(0, mark) : `${path.slice(0, mark)}?${kept.join('&')}`;
}
