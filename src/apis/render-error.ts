import type { ApiName } from './types.ts';

export interface ErrorFacts {
  readonly status: number;
  readonly message: string;
  /** A short machine-readable code of Sluice's own. */
  readonly code: string;
  /** OpenAI's `type`, where it is another than the status says. */
  readonly type?: string;
  /** When to come back, in seconds; Google says it in the body. */
  readonly retryAfterSeconds?: number;
}

const googleStatus: Readonly<Record<number, string>> = {
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

const anthropicType: Readonly<Record<number, string>> = {
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

/** An error as the API that was called would send it, so that the app's SDK raises its own exception type. */
export function renderError(api: ApiName, facts: ErrorFacts): { readonly contentType: string; readonly body: Buffer } {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(shape(api, facts))) };
}

function shape(api: ApiName, { status, message, code, type, retryAfterSeconds }: ErrorFacts): object {
  switch (api) {
    case 'anthropic-messages':
    case 'anthropic-count-tokens':
      return { type: 'error', error: { type: anthropicType[status] ?? 'api_error', message } };
    case 'gemini-generate':
      return {
        error: {
          code: status,
          message,
          status: googleStatus[status] ?? 'UNKNOWN',
          ...(retryAfterSeconds === undefined ? {} : { details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${retryAfterSeconds}s` }] }),
        },
      };
    case 'bedrock':
      return { message };
    case 'openai-chat':
    case 'openai-completions':
    case 'openai-responses':
    case 'openai-embeddings':
    case 'other-llm':
      return { error: { message, type: type ?? (status >= 500 ? 'server_error' : status === 429 ? code : 'invalid_request_error'), param: null, code } };
  }
}
