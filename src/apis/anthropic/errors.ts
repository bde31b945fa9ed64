import type { ApiErrors, ErrorFacts } from '../common/failure.ts';

const types: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

function body({ status, message }: ErrorFacts): object {
  return { type: 'error', error: { type: types[status] ?? 'api_error', message } };
}

/** Errors of Anthropic's API. Its status for an overload is 529; other APIs use 503. */
export const anthropicErrors: ApiErrors = {
  body,
  event: (data) => `event: error\ndata: ${data}\n\n`,
  status: (status) => (status === 503 ? 529 : status),
};
