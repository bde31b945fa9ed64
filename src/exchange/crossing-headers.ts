import { appKeyHeaders } from '../apis/key-headers.ts';
import { dialects } from '../apis/registry.ts';
import { apiHeaders } from '../apis/translate.ts';
import type { HeaderMap, HeaderMutation } from '../lib/headers.ts';

/**
 * Request headers that may be sent to a provider other than the app's. All others are removed: keys, cookies, account names, and custom
 * headers of the app or its proxies. Names that end in `*` are prefixes.
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
/** Headers that another provider of the same API needs; a translated request sets its own. */
const ofTheApi: ReadonlySet<string> = new Set(Object.values(dialects).flatMap(({ sharedHeaders }) => sharedHeaders));
/** Envoy's and Sluice's own headers, which route a request through Envoy; Envoy removes them before the request leaves. */
const internal = /^(?::|x-envoy-|x-sluice-|x-forwarded-(?:proto|for)$|x-b3-)/;

/** Query parameters that may be sent there: answer framing and API version. */
const mayCrossQuery: ReadonlySet<string> = new Set(['alt', 'api-version', 'beta']);

/** The request headers meant only for the app's own provider and API, as they came. */
export function ownHeadersOf(headers: HeaderMap): (readonly [string, string])[] {
  const own: (readonly [string, string])[] = [];
  for (const [name, value] of headers.entries()) if (!mayCross.has(name) && !internal.test(name)) own.push([name, value]);
  return own;
}

/** The same, read on demand: most requests stay with their own provider. */
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

/** Names of headers to remove: `more` and those of `own`, except those that the API needs and those that are set again. */
export function removedNames(
  own: readonly (readonly [string, string])[],
  more: readonly string[],
  set: readonly (readonly [string, string])[],
): readonly string[] {
  const kept = new Set(set.map(([name]) => name));
  return [...new Set([...more, ...own.flatMap(([name]) => (ofTheApi.has(name) ? [] : [name]))])].filter((name) => !kept.has(name));
}

/** Header changes that restore the app's own headers and remove those that the previous attempt added. */
export function ownKeys(own: readonly (readonly [string, string])[]): HeaderMutation {
  const names = new Set(own.map(([name]) => name));
  return { set: own, remove: [...appKeyHeaders, ...apiHeaders].filter((name) => !names.has(name)) };
}

/**
 * Header changes for a provider other than the app's, whose key is in `keys`. `own`: the app's own headers; `more`: names of headers
 * specific to the API.
 */
export function strangeKeys(
  own: readonly (readonly [string, string])[],
  keys: HeaderMutation,
  more: readonly string[] = [],
): HeaderMutation {
  return { set: keys.set, remove: removedNames(own, [...keys.remove, ...more], keys.set) };
}

/** The path for the app's own provider when the gateway's key is used: without keys in its query. */
export function withoutKeys(path: string): string {
  const mark = path.indexOf('?');
  if (mark === -1) return path;
  const parts = path.slice(mark + 1).split('&');
  const kept = parts.filter((part) => !/^(?:key|api[-_]?key|access_token|subscription-key)$/i.test(part.split('=', 1)[0]!));
  if (kept.length === parts.length) return path;
  return kept.length === 0 ? path.slice(0, mark) : `${path.slice(0, mark)}?${kept.join('&')}`;
}

/** The path for another provider: without keys and other app-specific parameters in its query. */
export function crossingPath(path: string): string {
  const mark = path.indexOf('?');
  if (mark === -1) return path;
  const kept = path
    .slice(mark + 1)
    .split('&')
    .filter((part) => mayCrossQuery.has(part.split('=', 1)[0]!));
  return kept.length === 0 ? path.slice(0, mark) : `${path.slice(0, mark)}?${kept.join('&')}`;
}
