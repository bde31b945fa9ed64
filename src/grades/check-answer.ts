import type { ApiName, JsonOutput } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';
import type { FallbackTrigger } from '../policy/types.ts';
import { viewAnswer } from '../apis/common/answer-view.ts';
import { matchesSchema } from '../apis/common/json-schema.ts';

/** What the request asked of the answer's form. */
export interface Expectation {
  readonly jsonOutput: JsonOutput;
  /** The schema that the request gave; null: none, or it was not kept. */
  readonly schema: object | null;
}

/** Error codes, types and messages by which providers say one thing. Facts from their documentation; messages as a last resort. */
const contextCodes: ReadonlySet<string> = new Set(['context_length_exceeded', 'string_above_max_length']);
const contextMessage = /context (length|window)|maximum context|prompt is too long|too many (input |total )?tokens|exceeds? the (maximum|max) (number of )?(input )?tokens|input token count|input is too long/i;
const filterCodes: ReadonlySet<string> = new Set(['content_filter', 'content_policy_violation', 'ResponsibleAIPolicyViolation']);
const goneCodes: ReadonlySet<string> = new Set(['model_not_found', 'DeploymentNotFound', 'model_not_exist']);
const goneMessage = /model (not exist|.{0,80}(does not exist|not found|is not supported|has been (deprecated|retired)))/i;
const goneStatuses: ReadonlySet<number> = new Set([404, 405, 409, 410]);

const unsupportedCodes: ReadonlySet<string> = new Set(['unsupported_parameter', 'unsupported_value', 'unknown_parameter', 'extra_forbidden']);
const unsupportedMessage = /unsupported (parameter|value)|not supported (with|by|for|on) this model|does not support (this value|this parameter|the parameter|tool type|image|prefill|assistant message prefill|programmatic)|extra inputs are not permitted|extra_forbidden|unrecognized request argument|unknown (name|field|parameter) "|is not enabled for (this model|models\/)|(adaptive|enabled)" is not supported|does not match any of the expected tags/i;

/** What an error answer means, by its status alone; `look`: only its body tells. Null: the app's own mistake. */
export function judgeStatus(status: number): FallbackTrigger | 'look' | null {
  if (status === 401 || status === 403) return 'key-dead';
  if (goneStatuses.has(status)) return 'model-gone';
  if (status === 408) return 'timeout';
  if (status === 429) return 'rate-limit';
  if (status === 529) return 'overloaded';
  if (status >= 500) return 'server-error';
  return status === 400 || status === 413 || status === 422 ? 'look' : null;
}

/** What a 400 or 413 means. Null: the app's own mistake, which no other model would answer differently. */
export function judgeErrorBody(body: Buffer): FallbackTrigger | null {
  const { codes, message } = errorOf(body);
  if (codes.some((code) => contextCodes.has(code)) || contextMessage.test(message)) return 'context-window';
  if (codes.some((code) => filterCodes.has(code))) return 'content-filter';
  if (codes.some((code) => unsupportedCodes.has(code)) || unsupportedMessage.test(message)) return 'unsupported-parameter';
  if (codes.some((code) => goneCodes.has(code)) || goneMessage.test(message)) return 'model-gone';
  return null;
}

/** Which of a request's parameters an error names; null: none of them. */
export function refusedIn(body: Buffer, parameters: readonly string[]): string | null {
  const text = body.toString('utf8', 0, limits.refusalBytes);
  const { param } = errorOf(body);
  const named = parameters.find((name) => name === param);
  if (named !== undefined) return named;
  // As a word of its own, the longest first: `top_logprobs` is not `logprobs`.
  return [...parameters].sort((a, b) => b.length - a.length).find((name) => new RegExp(`(?<![\\w.])${name.replaceAll(/[^\w]/g, '\\$&')}(?![\\w])`).test(text)) ?? null;
}

/** The first thing that is wrong with a whole 200, of those that the policy watches for. Null: nothing is. */
export function judgeAnswer(api: ApiName, body: Buffer, expects: Expectation, watched: ReadonlySet<FallbackTrigger>): FallbackTrigger | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    // Not an answer in any API: a proxy's page, or cut off on its way.
    return watched.has('server-error') ? 'server-error' : null;
  }
  const view = viewAnswer(api, parsed);
  if (view === null) return null;
  const wrong = (trigger: FallbackTrigger, is: boolean): FallbackTrigger | null => (is && watched.has(trigger) ? trigger : null);
  return (
    wrong('content-filter', view.filtered) ??
    wrong('refusal', view.refused) ??
    wrong('length', view.cutOff) ??
    wrong('empty', view.text.trim() === '' && view.toolArguments.length === 0 && !view.refused && !view.filtered) ??
    wrong('bad-tool-call', view.toolArguments.some((text) => text !== null && text !== '' && !isJson(text))) ??
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
  return errorOf(body).codes.includes('overloaded_error');
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

/** Codes and types of an error in any API's shape, and its message. */
function errorOf(body: Buffer): { readonly codes: readonly string[]; readonly message: string; readonly param: string | null } {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const outer = (Array.isArray(parsed) ? parsed[0] : parsed) as { readonly error?: unknown; readonly message?: unknown } | null;
    const error = (typeof outer?.error === 'object' && outer.error !== null ? outer.error : outer) as Readonly<Record<string, unknown>> | null;
    const inner = error?.['innererror'] as Readonly<Record<string, unknown>> | undefined;
    const codes = [error?.['code'], error?.['type'], error?.['status'], inner?.['code']].filter((code) => typeof code === 'string');
    const message = typeof outer?.error === 'string' ? outer.error : error?.['message'];
    const param = error?.['param'];
    return { codes, message: typeof message === 'string' ? message : details(outer), param: typeof param === 'string' ? param : null };
  } catch {
    return { codes: [], message: '', param: null };
  }
}

/** Servers built on FastAPI, Mistral's and vLLM's among them, say what is wrong in a list. */
function details(outer: object | null): string {
  const { detail } = (outer ?? {}) as { readonly detail?: unknown };
  return detail === undefined ? '' : JSON.stringify(detail).slice(0, limits.refusalBytes);
}
