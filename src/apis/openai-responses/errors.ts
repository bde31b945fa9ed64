import { codeOf, type ApiErrors, type Failure } from '../common/failure.ts';
import { openaiErrors } from '../openai/errors.ts';
import { namedEvent } from '../common/event-text.ts';

/** OpenAI ends a failed stream with both events: its SDKs raise on `error`, Codex reads `response.failed` alone. */
function eventsOf(data: string, failure: Failure, sequence: number): string {
  const failed = {
    type: 'response.failed',
    sequence_number: sequence + 1,
    response: { object: 'response', status: 'failed', error: { code: codeOf(failure), message: failure.message }, output: [] },
  };
  return [eventOf(data, failure, sequence), failed].map(namedEvent).join('');
}

/** In OpenAI's type definitions the members are at the top, its servers send them under `error`, and its SDKs raise on the latter. */
function eventOf(data: string, failure: Failure, sequence: number): { readonly type: string; readonly [name: string]: unknown } {
  const { error } = JSON.parse(data) as { readonly error: unknown };
  return { type: 'error', sequence_number: sequence, code: codeOf(failure), message: failure.message, param: null, error };
}

/** Errors of the Responses API. */
export const responsesErrors: ApiErrors = {
  ...openaiErrors,
  event: (data, failure, _framing, sequence) => eventsOf(data, failure, sequence),
};
