import { plainEvent, plainStatus, type ApiErrors, type ErrorFacts } from '../common/failure.ts';

function body({ status, message, code, type }: ErrorFacts): object {
  return {
    error: { message, type: type ?? (status >= 500 ? 'server_error' : status === 429 ? code : 'invalid_request_error'), param: null, code },
  };
}

/** Errors of OpenAI's APIs, except those of the Responses API inside streams. */
export const openaiErrors: ApiErrors = { body, event: plainEvent, status: plainStatus };
