import { renderError } from '../render-error.ts';
import type { ApiName } from '../types.ts';
import { meaningOf, type ErrorMeaning } from './error-words.ts';
import { isObject, member, numberOf, parseBody, text } from './json.ts';
import type { Json } from './json.ts';

/** What went wrong, in terms of no API. Closed list. */
export type FailureKind =
  | 'invalid'
  | 'context-length'
  | 'content-filter'
  | 'auth'
  | 'billing'
  | 'permission'
  | 'not-found'
  | 'too-large'
  | 'rate-limit'
  | 'quota'
  | 'server'
  | 'overloaded'
  | 'timeout';

export interface Failure {
  readonly kind: FailureKind;
  /** The status that the provider answered with, or would have. */
  readonly status: number;
  readonly message: string;
}

const kinds: Readonly<Record<number, FailureKind>> = {
  401: 'auth',
  402: 'billing',
  403: 'permission',
  404: 'not-found',
  408: 'timeout',
  410: 'not-found',
  413: 'too-large',
  429: 'rate-limit',
  503: 'overloaded',
  504: 'timeout',
  529: 'overloaded',
};

/** The kinds that errors inside a stream name where a status is missing. */
const named: Readonly<Record<string, FailureKind>> = {
  invalid_request_error: 'invalid',
  authentication_error: 'auth',
  billing_error: 'billing',
  permission_error: 'permission',
  not_found_error: 'not-found',
  request_too_large: 'too-large',
  rate_limit_error: 'rate-limit',
  rate_limit_exceeded: 'rate-limit',
  insufficient_quota: 'quota',
  overloaded_error: 'overloaded',
  timeout_error: 'timeout',
  context_length_exceeded: 'context-length',
  content_filter: 'content-filter',
  content_policy_violation: 'content-filter',
};

const statuses: Readonly<Record<FailureKind, number>> = {
  invalid: 400,
  'context-length': 400,
  'content-filter': 400,
  auth: 401,
  billing: 402,
  permission: 403,
  'not-found': 404,
  'too-large': 413,
  'rate-limit': 429,
  quota: 429,
  server: 500,
  overloaded: 503,
  timeout: 504,
};

/** OpenAI's codes for the kinds, and Sluice's own where OpenAI has none. */
const codes: Readonly<Record<FailureKind, string>> = {
  invalid: 'invalid_request',
  'context-length': 'context_length_exceeded',
  'content-filter': 'content_filter',
  auth: 'invalid_api_key',
  billing: 'billing_not_active',
  permission: 'permission_denied',
  'not-found': 'model_not_found',
  'too-large': 'request_too_large',
  'rate-limit': 'rate_limit_exceeded',
  quota: 'insufficient_quota',
  server: 'server_error',
  overloaded: 'overloaded',
  timeout: 'timeout',
};

/** What the words of an error make of a kind that says nothing. */
const meant: Readonly<Partial<Record<ErrorMeaning, FailureKind>>> = { 'context-window': 'context-length', 'content-filter': 'content-filter', 'model-gone': 'not-found', 'key-dead': 'auth' };

export function failureOf(kind: FailureKind, message: string): Failure {
  return { kind, status: statuses[kind], message };
}

/** A call that an API with objects for arguments cannot say. */
export const unsayable: Failure = { kind: 'server', status: 502, message: "The arguments of the provider's tool call are no JSON object." };

/** Reads a provider's error body. Whatever it is, something comes back: a page of HTML from a proxy is an error too. */
export function readFailure(status: number, body: Buffer): Failure {
  const parsed = parseBody(body);
  // Google's stream that fails before it begins is an array of one error.
  const value = Array.isArray(parsed) ? (parsed as readonly Json[])[0] : parsed;
  return readError(member(value, 'error') ?? value, status);
}

/** Reads an error object as any of the APIs writes it; `status` null: inside a stream. */
export function readError(error: Json | undefined, status: number | null): Failure {
  const code = member(error, 'code');
  const names = [text(code), text(member(error, 'type'))];
  const own = numberOf(code);
  const message = text(member(error, 'message')) ?? (typeof error === 'string' && error !== '' ? error : null);
  const found = names.map((name) => (name === null ? undefined : named[name])).find((kind) => kind !== undefined);
  const known = status ?? (own !== null && own >= 400 && own < 600 ? own : null) ?? (found === undefined ? 500 : statuses[found]);
  let kind: FailureKind = found ?? kinds[known] ?? (known >= 500 ? 'server' : 'invalid');
  if (message !== null && known < 500 && (kind === 'invalid' || kind === 'too-large')) {
    const meaning = meaningOf({ codes: names.filter((name) => name !== null), message, param: null, status: null });
    kind = (meaning === null ? undefined : meant[meaning]) ?? kind;
  }
  return { kind, status: known, message: message ?? `The provider answered ${known}${isObject(error) ? '' : ' without a readable error'}.` };
}

/** The status that the caller's API has for a provider's: the two differ where a provider is overloaded. */
export function translateStatus(to: ApiName, status: number): number {
  if (to === 'anthropic-messages') return status === 503 ? 529 : status;
  return status === 529 ? 503 : status;
}

/** The failure as the caller's API writes its errors. */
export function renderFailure(to: ApiName, failure: Failure): { readonly status: number; readonly contentType: string; readonly body: Buffer } {
  const status = translateStatus(to, failure.status);
  return { status, ...renderError(to, { status, message: failure.message, code: codes[failure.kind] }) };
}

/**
 * An error event as the API that was called sends it inside a stream whose headers have long been sent, so that the app's SDK raises its
 * exception. To be followed by the stream's end and nothing else. `status`: what the error would have been as an answer; 502 by itself.
 */
export function renderStreamError(api: ApiName, message: string, status = 502, framing: StreamFraming = 'sse'): Buffer {
  return streamFailure(api, { kind: kinds[status] ?? (status >= 500 ? 'server' : 'invalid'), status, message }, framing);
}

/** How a stream is cut into events; `json-array` is Gemini's without `alt=sse`: an error follows at least one element. */
export type StreamFraming = 'sse' | 'json-array';

/** OpenAI's types have the members at the top, its servers send them below `error`, and its SDKs raise on the latter. */
function responsesError(failure: Failure, body: Buffer, sequence: number): object {
  const { error } = JSON.parse(body.toString('utf8')) as { readonly error: unknown };
  return { type: 'error', sequence_number: sequence, code: codes[failure.kind], message: failure.message, param: null, error };
}

/** The same for a failure that was read; `sequence` numbers the events of a Responses stream. */
export function streamFailure(api: ApiName, failure: Failure, framing: StreamFraming = 'sse', sequence = 0): Buffer {
  const rendered = renderFailure(api, failure);
  const data = rendered.body.toString('utf8');
  switch (api) {
    case 'anthropic-messages':
    case 'anthropic-count-tokens':
      return Buffer.from(`event: error\ndata: ${data}\n\n`);
    case 'openai-responses':
      return Buffer.from(`event: error\ndata: ${JSON.stringify(responsesError(failure, rendered.body, sequence))}\n\n`);
    case 'gemini-generate':
      return Buffer.from(framing === 'json-array' ? `,${data}]` : `data: ${data}\n\n`);
    case 'openai-chat':
    case 'openai-completions':
    case 'openai-embeddings':
    case 'bedrock':
    case 'other-llm':
      return Buffer.from(`data: ${data}\n\n`);
  }
}
