import type { ApiName, JsonOutput } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';
import type { FallbackTrigger } from '../policy/types.ts';
import { errorInAnswer, meaningOf, readSaid } from '../apis/common/error-words.ts';
import { hasView, viewAnswer } from '../apis/view.ts';
import { matchesSchema } from '../apis/common/json-schema.ts';

/** What the request asked of the answer's form. */
export interface Expectation {
  readonly jsonOutput: JsonOutput;
  /** The schema that the request gave; null: none, or it was not kept. */
  readonly schema: object | null;
}

const goneStatuses: ReadonlySet<number> = new Set([404, 405, 409, 410]);
/** A connection or a model that failed, by the providers' own statuses: Bedrock's 424, Google's 499. */
const failedStatuses: ReadonlySet<number> = new Set([421, 424, 425, 499]);

/** What an error answer means, by its status alone; `look`: only its body tells. Null: the app's own mistake. */
export function judgeStatus(status: number): FallbackTrigger | 'look' | null {
  // 402: the account behind the key has no money left.
  if (status === 401 || status === 402) return 'key-dead';
  if (failedStatuses.has(status)) return 'server-error';
  if (goneStatuses.has(status)) return 'model-gone';
  if (status === 408) return 'timeout';
  if (status === 429) return 'rate-limit';
  if (status === 529) return 'overloaded';
  if (status >= 500) return 'server-error';
  return status === 400 || status === 403 || status === 413 || status === 422 || status === 498 ? 'look' : null;
}

/** What an error means whose body says nothing that is known, or is not read. Null: the app's own mistake. */
export function judgeSilent(status: number): FallbackTrigger | null {
  if (status === 403) return 'key-dead';
  // Groq's, where its flex tier is full.
  return status === 498 ? 'overloaded' : null;
}

/** What only the body tells of such an error. A server error it is not: its status already says that the server is well. */
const byBody: ReadonlySet<FallbackTrigger> = new Set<FallbackTrigger>([
  'context-window',
  'content-filter',
  'model-gone',
  'key-dead',
  'unsupported-parameter',
  'rate-limit',
  'overloaded',
  'bad-tool-call',
  'invalid-json',
]);

/** What an error means whose status says too little. Null: the app's own mistake, which no other model would answer differently. */
export function judgeErrorBody(body: Buffer, status = 400): FallbackTrigger | null {
  const said = readSaid(body);
  // Groq says with this status that a minute's tokens are too few for the prompt: waiting does not help.
  if (status === 413 && said.codes.includes('rate_limit_exceeded')) return 'context-window';
  const meaning = meaningOf(said);
  return meaning !== null && byBody.has(meaning) ? meaning : judgeSilent(status);
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
  // JSON of something else than a model: a proxy's, or a provider's error in words of its own.
  if (view === null) return hasView(api) && watched.has('server-error') ? 'server-error' : null;
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

/** What an event tells of a stream that has said nothing yet: that it fails, that it opens and holds no word of an answer, or that it answers. */
export type EventSays = 'error' | 'opening' | 'answer';

/** Events that come before a model has said anything: an error may still follow. */
const openings: ReadonlySet<unknown> = new Set([
  'message_start',
  'ping',
  'message-start',
  'response.created',
  'response.queued',
  'response.in_progress',
]);

/** What one of a stream's first events says: `data` is the event's text. */
export function judgeEvent(data: string): EventSays {
  let event: unknown;
  try {
    event = JSON.parse(data);
  } catch {
    // OpenAI's mark of the end, before anything came.
    return data === '[DONE]' ? 'error' : 'answer';
  }
  if (typeof event !== 'object' || event === null) return 'answer';
  const { error, type, choices, usage } = event as Readonly<Record<string, unknown>>;
  if ((error !== undefined && error !== null) || type === 'error' || type === 'response.failed') return 'error';
  if (openings.has(type)) return 'opening';
  return Array.isArray(choices) && (usage === undefined || usage === null) && choices.every(isSilent) ? 'opening' : 'answer';
}

/** Whether a choice of OpenAI's chunk says no more than whose turn it is. */
function isSilent(choice: unknown): boolean {
  const { delta, finish_reason: finish } = (choice ?? {}) as Readonly<Record<string, unknown>>;
  if (finish !== undefined && finish !== null) return false;
  if (typeof delta !== 'object' || delta === null) return false;
  return Object.entries(delta).every(([name, value]) => name === 'role' || value === null || value === '');
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
