import { plainStatus, type ApiErrors, type ErrorFacts } from '../common/failure.ts';

const statuses: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

function body({ status, message, retryAfterSeconds }: ErrorFacts): object {
  const details =
    retryAfterSeconds === undefined
      ? {}
      : { details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${retryAfterSeconds}s` }] };
  return { error: { code: status, message, status: statuses[status] ?? 'UNKNOWN', ...details } };
}

/** Errors of Gemini's API. */
export const geminiErrors: ApiErrors = {
  body,
  event: (data, _failure, framing) => (framing === 'json-array' ? `,${data}]` : `data: ${data}\n\n`),
  status: plainStatus,
};
