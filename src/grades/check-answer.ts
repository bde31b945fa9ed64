import type { ApiName, JsonOutput } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';
import type { FallbackTrigger } from '../policy/types.ts';
import { errorInAnswer, errorInChunk, mayBlameModel, meaningOf, readSaid } from '../apis/common/error-words.ts';
import { hasArrayStreams, hasView, viewAnswer } from '../apis/view.ts';
import { saysNothing, type AnswerView } from '../apis/common/answer-view.ts';
import { matchesSchema } from '../apis/common/json-schema.ts';

/** The form of the answer that the request asked for. */
export interface Expectation {
  readonly jsonOutput: JsonOutput;
  /** The request's schema; null if it has none, or it was not kept. */
  readonly schema: object | null;
}

const goneStatuses: ReadonlySet<number> = new Set([404, 405, 409, 410]);
/** Providers' own statuses for a failed connection or model: Bedrock's 424, Google's 499. */
const failedStatuses: ReadonlySet<number> = new Set([421, 424, 425, 499]);

/** Classifies an error answer by its status alone; `look`: the body is needed. Null if it is the app's own mistake. */
export function judgeStatus(status: number): FallbackTrigger | 'look' | null {
  // 402: the account of the key has no credit left.
  if (status === 401 || status === 402) return 'key-dead';
  if (failedStatuses.has(status)) return 'server-error';
  if (goneStatuses.has(status)) return 'model-gone';
  if (status === 408) return 'timeout';
  if (status === 429) return 'rate-limit';
  if (status === 529) return 'overloaded';
  if (status >= 500) return 'server-error';
  // Providers use unusual statuses, as Fireworks' 412 for a suspended account: the words say more.
  return status >= 400 ? 'look' : null;
}

/** Classifies an error whose body is unknown or not read. Null if it is the app's own mistake. */
export function judgeSilent(status: number): FallbackTrigger | null {
  if (status === 403) return 'key-dead';
  // Groq's status when its flex tier is full.
  return status === 498 ? 'overloaded' : null;
}

/** Triggers that only the body of such an error reveals. Not `server-error`: the status already shows that the server works. */
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

/**
 * Classifies an error whose status is not specific enough. Null if it is the app's own mistake, which no other model would answer
 * differently.
 */
export function judgeErrorBody(body: Buffer, status = 400): FallbackTrigger | null {
  const said = readSaid(body);
  // Groq uses this status when a minute's tokens are too few for the prompt: waiting does not help.
  if (status === 413 && said.codes.includes('rate_limit_exceeded')) return 'context-window';
  const meaning = meaningOf(said);
  return meaning !== null && byBody.has(meaning) ? meaning : judgeSilent(status);
}

/** Whether an error without a known meaning may be due to a model that the app did not ask for. */
export function bodyMayBlameModel(body: Buffer): boolean {
  return mayBlameModel(readSaid(body));
}

/** The request parameter that an error names; null if none. */
export function refusedIn(body: Buffer, parameters: readonly string[]): string | null {
  const text = body.toString('utf8', 0, limits.refusalBytes);
  const { param } = readSaid(body);
  const named = parameters.find((name) => name === param);
  if (named !== undefined) return named;
  // As a separate word, the longest first: `top_logprobs` is not `logprobs`.
  return (
    [...parameters]
      .sort((a, b) => b.length - a.length)
      .find((name) => new RegExp(`(?<![\\w.])${name.replaceAll(/[^\w]/g, '\\$&')}(?![\\w])`).test(text)) ?? null
  );
}

/** The first fault of a whole 200 answer among those that the policy watches for. Null if there is none. */
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
    // Not an answer in any API: a proxy's page, or a truncated body.
    return watched.has('server-error') ? 'server-error' : null;
  }
  const error = errorInAnswer(parsed);
  if (error !== null) return watched.has(error) ? error : watched.has('server-error') ? 'server-error' : null;
  // A stream that is a JSON array: its elements are the events.
  if (Array.isArray(parsed) && parsed.length > 0 && hasArrayStreams(api)) return null;
  const view = viewAnswer(api, parsed);
  // JSON that is not a model's answer: from a proxy, or a provider's error in an unknown format.
  if (view === null) return hasView(api) && watched.has('server-error') ? 'server-error' : null;
  const wrong = (trigger: FallbackTrigger, is: boolean): FallbackTrigger | null => (is && watched.has(trigger) ? trigger : null);
  return (
    wrong('content-filter', view.filtered) ??
    wrong('refusal', view.refused) ??
    wrong('length', view.cutOff) ??
    wrong('empty', saysNothing(view)) ??
    wrong(
      'bad-tool-call',
      view.toolArguments.some((text) => text !== null && text !== '' && !isJson(text)),
    ) ??
    wrong('invalid-json', expects.jsonOutput !== 'none' && hasToFit(view) && !fits(view.text, expects))
  );
}

/** Triggers that require inspecting a whole 200 answer. */
export const answerTriggers: readonly FallbackTrigger[] = ['content-filter', 'refusal', 'length', 'empty', 'bad-tool-call', 'invalid-json'];

/** The meaning of an event in a stream without content so far: an error, an opening without content, or content. */
export type EventSays = 'error' | 'opening' | 'answer';

/** Events that precede any content: an error may still follow. */
const openings: ReadonlySet<unknown> = new Set([
  'message_start',
  'ping',
  'message-start',
  'response.created',
  'response.queued',
  'response.in_progress',
  'response.content_part.added',
]);

type EventFields = Readonly<Record<string, unknown>>;

/** Classifies one of a stream's first events; `data` is the event's text. */
export function judgeEvent(data: string): EventSays {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    // OpenAI's end marker, before any content.
    return data === '[DONE]' ? 'error' : 'answer';
  }
  const event = Array.isArray(parsed) ? (parsed as readonly unknown[])[0] : parsed;
  if (typeof event !== 'object' || event === null) return 'answer';
  const said = event as EventFields;
  if (isError(said)) return 'error';
  return opens(said) ? 'opening' : 'answer';
}

/** An error of an API, of a server in front of it, or in a choice. */
function isError(event: EventFields): boolean {
  return errorInChunk(event) !== null || event['type'] === 'response.failed';
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function opens(event: EventFields): boolean {
  const { type, choices, candidates, usage, usageMetadata } = event;
  if (openings.has(type)) return true;
  // The words of a message follow at once; thinking may last, so it counts as content.
  if (type === 'content_block_start') return (event['content_block'] as EventFields | undefined)?.['type'] === 'text';
  if (type === 'response.output_item.added') return (event['item'] as EventFields | undefined)?.['type'] === 'message';
  if (Array.isArray(choices)) return !isSet(usage) && choices.every(isSilent);
  if (Array.isArray(candidates)) return candidates.length > 0 && candidates.every(isEmpty);
  return candidates === undefined && usageMetadata !== undefined;
}

/** Whether a candidate in Gemini's chunk has no content yet. */
function isEmpty(candidate: unknown): boolean {
  const { content, finishReason } = (candidate ?? {}) as EventFields;
  if (isSet(finishReason)) return false;
  const { parts = [] } = (content ?? {}) as EventFields;
  return (
    Array.isArray(parts) &&
    parts.every((part) => Object.entries((part ?? {}) as EventFields).every(([name, value]) => name === 'text' && value === ''))
  );
}

/** Whether a choice in OpenAI's chunk contains only a role. */
function isSilent(choice: unknown): boolean {
  const { delta, finish_reason: finish } = (choice ?? {}) as EventFields;
  if (isSet(finish)) return false;
  if (typeof delta !== 'object' || delta === null) return false;
  return Object.entries(delta).every(([name, value]) => name === 'role' || value === null || value === '');
}

/** Whether the words of an answer are to be in the form that was asked for: they are when it has no others, as a call or a picture. */
function hasToFit({ text, toolArguments, other }: AnswerView): boolean {
  return toolArguments.length === 0 && (other !== true || text.trim() !== '');
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
