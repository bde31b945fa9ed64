import { codeOf, type ApiErrors, type Failure } from '../common/failure.ts';
import { openaiErrors } from '../openai/errors.ts';

/** In OpenAI's type definitions the members are at the top, its servers send them under `error`, and its SDKs raise on the latter. */
function eventOf(data: string, failure: Failure, sequence: number): object {
  const { error } = JSON.parse(data) as { readonly error: unknown };
  return { type: 'error', sequence_number: sequence, code: codeOf(failure), message: failure.message, param: null, error };
}

/** Errors of the Responses API. */
export const responsesErrors: ApiErrors = {
  ...openaiErrors,
  event: (data, failure, _framing, sequence) => `event: error\ndata: ${JSON.stringify(eventOf(data, failure, sequence))}\n\n`,
};
