import { meaningOf, type ErrorMeaning } from './error-words.ts';
import { isObject, member, numberOf, parseBody, text } from './json.ts';
import type { Json } from './json.ts';

/** The kind of failure, independent of any API. Closed list. */
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
  /** The status that the provider answered with, or would have used. */
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

/** Failure kinds by the name in a stream's error, for errors without a status. */
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

/** OpenAI's codes for the kinds, or Sluice's own where OpenAI has none. */
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

/** Failure kinds by the meaning of the error's message, for errors whose kind is unspecific. */
const meant: Readonly<Partial<Record<ErrorMeaning, FailureKind>>> = {
  'context-window': 'context-length',
  'content-filter': 'content-filter',
  'model-gone': 'not-found',
  'key-dead': 'auth',
};

export function failureOf(kind: FailureKind, message: string): Failure {
  return { kind, status: statuses[kind], message };
}

/** A call that cannot be expressed in an API whose arguments are objects. */
export const unsayable: Failure = { kind: 'server', status: 502, message: "The arguments of the provider's tool call are no JSON object." };

/** Reads a provider's error body. Always returns a result: an HTML page from a proxy is an error too. */
export function readFailure(status: number, body: Buffer): Failure {
  const parsed = parseBody(body);
  // A Google stream that fails before it begins is an array with one error.
  const value = Array.isArray(parsed) ? (parsed as readonly Json[])[0] : parsed;
  return readError(member(value, 'error') ?? value, status);
}

/** Reads an error object of any of the APIs; `status` null: inside a stream. */
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
  return {
    kind,
    status: known,
    message: message ?? `The provider answered ${known}${isObject(error) ? '' : ' without a readable error'}.`,
  };
}

export interface ErrorFacts {
  readonly status: number;
  readonly message: string;
  /** Sluice's own short, machine-readable code. */
  readonly code: string;
  /** OpenAI's `type`, if it differs from the one that the status implies. */
  readonly type?: string;
  /** Retry delay in seconds; Google puts it in the body. */
  readonly retryAfterSeconds?: number;
}

/** How a stream is split into events; `json-array` is Gemini's without `alt=sse`: an error follows at least one element. */
export type StreamFraming = 'sse' | 'json-array';

/** How an API writes its errors. */
export interface ApiErrors {
  /** The body of an error answer. */
  readonly body: (facts: ErrorFacts) => object;
  /**
   * An error inside a stream whose headers were already sent. `data`: the text of its body; `sequence` numbers the events if the API does.
   */
  readonly event: (data: string, failure: Failure, framing: StreamFraming, sequence: number) => string;
  /** The API's status for a provider's status: they differ when a provider is overloaded. */
  readonly status: (status: number) => number;
}

/** Stream errors that are an event without a name. */
export const plainEvent: ApiErrors['event'] = (data) => `data: ${data}\n\n`;
/** Most APIs do not use 529. */
export const plainStatus: ApiErrors['status'] = (status) => (status === 529 ? 503 : status);

export interface RenderedError {
  readonly contentType: string;
  readonly body: Buffer;
}

/** An error answer in an API's format. */
export function renderErrorWith(errors: ApiErrors, facts: ErrorFacts): RenderedError {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(errors.body(facts))) };
}

/** A failure in an API's error format. */
export function renderFailure(errors: ApiErrors, failure: Failure): RenderedError & { readonly status: number } {
  const status = errors.status(failure.status);
  return { status, ...renderErrorWith(errors, { status, message: failure.message, code: codeOf(failure) }) };
}

/** OpenAI's code for a failure, or Sluice's own where OpenAI has none. */
export function codeOf({ kind }: Failure): string {
  return codes[kind];
}

/** A failure as an API sends it inside a stream; only the stream's end may follow. */
export function streamFailure(errors: ApiErrors, failure: Failure, framing: StreamFraming = 'sse', sequence = 0): Buffer {
  return Buffer.from(errors.event(renderFailure(errors, failure).body.toString('utf8'), failure, framing, sequence));
}

/** The kind of failure for a status. */
export function kindOf(status: number): FailureKind {
  return kinds[status] ?? (status >= 500 ? 'server' : 'invalid');
}
