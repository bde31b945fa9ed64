import type { ApiName, JsonOutput } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';
import type { FallbackTrigger } from '../policy/types.ts';
import { errorInAnswer, meaningOf, readSaid } from '../apis/common/error-words.ts';
import { viewAnswer } from '../apis/view.ts';
import { matchesSchema } from '../apis/common/json-schema.ts';

/** What the request asked of the answer's form. */
export interface Expectation {
  readonly jsonOutput: JsonOutput;
  /** The schema that the request gave; null: none, or it was not kept. */
  readonly schema: object | null;
}

const goneStatuses: ReadonlySet<number> = new Set([404, 405, 409, 410]);

/** What an error answer means, by its status alone; `look`: only its body tells. Null: the app's own mistake. */
export function judgeStatus(status: number): FallbackTrigger | 'look' | null {
  // 402: the account behind the key has no money left.
  if (status === 401 || status === 402 || status === 403) return 'key-dead';
  if (goneStatuses.has(status)) return 'model-gone';
  if (status === 408) return 'timeout';
  if (status === 429) return 'rate-limit';
  if (status === 529) return 'overloaded';
  if (status >= 500) return 'server-error';
  return status === 400 || status === 413 || status === 422 ? 'look' : null;
}

/** What only the body of a 400 tells; its status already says that the server is well. */
const byBody: ReadonlySet<FallbackTrigger> = new Set<FallbackTrigger>([
  'context-window',
  'content-filter',
  'model-gone',
  'key-dead',
  'unsupported-parameter',
]);

/** What a 400, 413 or 422 means. Null: the app's own mistake, which no other model would answer differently. */
export function judgeErrorBody(body: Buffer): FallbackTrigger | null {
  const meaning = meaningOf(readSaid(body));
  return meaning !== null && byBody.has(meaning) ? meaning : null;
}

/** Which of a request's parameters an error names; null: none of them. */
export function refusedIn(body: Buffer, parameters: readonly string[]): string | null {
  const text = body.toString('utf8', 0, limits.refusalBytes);
  const { param } = readSaid(body);
  const named = parameters.find((name) => name === param);
  if (named !== undefined) return named;
  // As a word of its own, the longest first: `top_logprobs` is not `logprobs`.
  return (
    [...parameters]
      .sort((a, b) => b.length - a.length)
      .find((name) => new RegExp(`(?<![\\w.])${name.replaceAll(/[^\w]/g, '\\$&')}(?![\\w])`).test(text)) ?? null
  );
}

/** The first thing that is wrong with a whole 200, of those that the policy watches for. Null: nothing is. */
export function judgeAnswer(
  api: ApiName,
  body: Buffer,
  expects: Expectation,
  watched: ReadonlySet<FallbackTrigger>,
): FallbackTrigger | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    // Not an answer in any API: a proxy's page, or cut off on its way.
    return watched.has('server-error') ? 'server-error' : null;
  }
  const error = errorInAnswer(parsed);
  if (error !== null) return watched.has(error) ? error : watched.has('server-error') ? 'server-error' : null;
  const view = viewAnswer(api, parsed);
  if (view === null) return null;
  const wrong = (trigger: FallbackTrigger, is: boolean): FallbackTrigger | null => (is && watched.has(trigger) ? trigger : null);
  return (
    wrong('content-filter', view.filtered) ??
    wrong('refusal', view.refused) ??
    wrong('length', view.cutOff) ??
    wrong('empty', view.text.trim() === '' && view.toolArguments.length === 0 && !view.refused && !view.filtered) ??
    wrong(
      'bad-tool-call',
      view.toolArguments.some((text) => text !== null && text !== '' && !isJson(text)),
    ) ??
    wrong('invalid-json', view.toolArguments.length === 0 && expects.jsonOutput !== 'none' && !fits(view.text, expects))
  );
}

/** Triggers for which a whole 200 has to be looked into. */
export const answerTriggers: readonly FallbackTrigger[] = ['content-filter', 'refusal', 'length', 'empty', 'bad-tool-call', 'invalid-json'];

/** Whether the first event of a stream is an error: `data` is the event's JSON text. */
export function isErrorEvent(data: string): boolean {
  try {
    const event: unknown = JSON.parse(data);
    if (typeof event !== 'object' || event === null) return false;
    const { error, type } = event as { readonly error?: unknown; readonly type?: unknown };
    return (error !== undefined && error !== null) || type === 'error' || type === 'response.failed';
  } catch {
    return false;
  }
}

/** Whether an error event, or an error body, says that the provider has too much to do. */
export function saysOverloaded(body: Buffer): boolean {
  return meaningOf(readSaid(body)) === 'overloaded';
}

function fits(text: string, { jsonOutput, schema }: Expectation): boolean {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }
  return jsonOutput !== 'schema' || schema === null || matchesSchema(schema, value);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
