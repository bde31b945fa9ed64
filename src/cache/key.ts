import { createHash } from 'node:crypto';
import type { BodyMember, ParsedRequest, Span } from '../apis/types.ts';
import { isList, isNumber, isObject, parseJson, writeJson, type Json } from '../apis/common/json.ts';
import { limits } from '../lib/limits.ts';
import type { HeaderMap } from '../lib/headers.ts';
import type { CallerContext } from '../policy/types.ts';
import type { CacheSettings } from '../policy/options/cache.ts';

/** Changed when the meaning of a key changes, so that old entries are not found. */
const keyVersion = 'sluice-cache-3';
const nearVersion = 'sluice-cache-near-4';

/** Top-level members that identify the caller, the transport of the answer, or billing; they do not affect the answer. */
const ignoredMembers: ReadonlySet<string> = new Set([
  'stream',
  'stream_options',
  'user',
  'metadata',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'labels',
]);

/** Headers of apps that choose an API version, a beta feature, or an account. */
const shapingHeaders = ['anthropic-version', 'anthropic-beta', 'openai-beta', 'openai-organization', 'openai-project'];

const credentialHeaders = [
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-goog-user-project',
  'ocp-apim-subscription-key',
  'x-amz-security-token',
  'cookie',
  'x-auth-token',
  'x-access-token',
];
/** Header names that apps or their own proxies use for credentials. */
const credentialName = /(?:^|-)(?:auth(?:orization)?|api-?key|key|token|secret|credential|session-id|subscription-key)$/;

/** Query parameters that only affect the answer's transport, or hold a key (which counts as a credential). */
const queryKeys = ['key', 'api_key', 'api-key', 'apikey', 'access_token', 'subscription-key'] as const;
const carriageParameters: ReadonlySet<string> = new Set(['alt', ...queryKeys]);

/**
 * The cache partition of a request, from its headers: a JSON text that is equal for two requests exactly if the policy lets them share
 * answers. Every value of a repeated header counts.
 */
export function partitionOf(headers: HeaderMap, workspaceHeaders: readonly string[], settings: CacheSettings, path: string): string {
  const wanted = new Set([...shapingHeaders, ...workspaceHeaders, ...settings.partitionHeaders]);
  const secret = settings.share === 'credential';
  if (secret) for (const name of credentialHeaders) wanted.add(name);
  const found: (readonly [string, string])[] = [];
  for (const [name, value] of headers.entries())
    if (wanted.has(name) || (secret && credentialName.test(name))) found.push([name, signedAs(name, value)]);
  // A stable sort: values of one name stay in their order.
  found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return JSON.stringify([found, secret ? keysInQuery(path) : []]);
}

/** A signature differs for each request; the signer does not. */
function signedAs(name: string, value: string): string {
  return name === 'authorization' && value.startsWith('AWS4-HMAC-SHA256') ? (/Credential=([^/,]+)/.exec(value)?.[1] ?? value) : value;
}

function keysInQuery(path: string): string[] {
  const at = path.indexOf('?');
  if (at === -1) return [];
  const query = new URLSearchParams(path.slice(at));
  return [...queryKeys].flatMap((name) => query.getAll(name));
}

export interface KeyInput {
  readonly exchange: ParsedRequest;
  readonly body: Buffer;
  readonly members: readonly BodyMember[];
  /** The provider's own path with its query. */
  readonly path: string;
  readonly provider: string;
  /** Hash of the policy's text, since an edit may route the same request elsewhere. */
  readonly policy: string;
  readonly section: string;
  readonly caller: CallerContext;
  readonly bySession: boolean;
  readonly routeOff: boolean;
  /** From `partitionOf`. */
  readonly partition: string;
}

/**
 * SHA-256 over everything that affects the answer: API, path, model, every top-level member of the body except the ignored ones (sorted by
 * name, without white space outside strings), what rules may read, and the partition. Each piece is prefixed by its length, so that two
 * requests cannot collide by concatenation. Hex, 64 digits.
 */
export function cacheKey(input: KeyInput): string {
  return keyOf(input, keyVersion, null);
}

/**
 * The same hash with the question in its canonical form: two requests share it if they ask the same and agree in everything else. Null if
 * `question` is null, which means that there is no question to compare.
 */
export function nearKey(input: KeyInput, question: string | null): string | null {
  const { question: span } = input.exchange;
  return question === null || span === null
    ? null
    : keyOf(input, nearVersion, { ...span, text: Buffer.from(JSON.stringify(question).slice(1, -1)) });
}

/** Text that replaces the body from `start` to `end`, inside a string. */
interface Replacement extends Span {
  readonly text: Buffer;
}

function keyOf(input: KeyInput, version: string, replaced: Replacement | null): string {
  const { exchange, body, caller } = input;
  const kept = input.members
    .filter(({ key, start, end }) => !ignoredMembers.has(key) && !isNull(body, start, end))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.start - b.start));
  const values = kept.map(({ start, end, spaced }) => {
    if (replaced === null || replaced.start < start || replaced.end > end) return canonical(body, start, end, spaced);
    const value = Buffer.concat([body.subarray(start, replaced.start), replaced.text, body.subarray(replaced.end, end)]);
    return canonical(value, 0, value.length, spaced);
  });
  const head = JSON.stringify([
    version,
    exchange.api,
    exchange.operation,
    exchange.model,
    input.provider,
    pathOf(input.path),
    input.policy,
    input.section,
    input.routeOff,
    caller.userTier,
    caller.quality,
    caller.task,
    input.bySession ? caller.session : null,
    [...caller.headers],
    input.partition,
    kept.map(({ key }, index) => [key, values[index]!.length]),
  ]);
  const hash = createHash('sha256').update(head);
  for (const value of values) hash.update(value);
  return hash.digest('hex');
}

/** The path without what only affects the answer's transport: Gemini's stream method and the parameters above. */
function pathOf(path: string): string {
  const at = path.indexOf('?');
  const bare = (at === -1 ? path : path.slice(0, at)).replace(/:streamGenerateContent$/, ':generateContent');
  if (at === -1) return bare;
  const rest = [...new URLSearchParams(path.slice(at))].filter(([name]) => !carriageParameters.has(name));
  return rest.length === 0 ? bare : `${bare}?${JSON.stringify(rest)}`;
}

/**
 * A value's canonical bytes: without white space, and, if the value is not a string and not long, with normalised numbers and object
 * members sorted by name.
 */
function canonical(body: Buffer, start: number, end: number, spaced: boolean): Buffer {
  const first = body[start];
  if (first !== quote && end - start <= limits.canonicalBytes) {
    const parsed = parseJson(body.toString('utf8', start, end));
    // The meaning of an object with a duplicate member depends on its reader, so it is not canonicalised.
    if (parsed !== undefined && membersIn(parsed) === colonsIn(body, start, end)) return Buffer.from(writeJson(ordered(parsed)));
  }
  return spaced ? withoutSpaces(body, start, end) : body.subarray(start, end);
}

/** SDKs write null for a member that is not set. */
function isNull(body: Buffer, start: number, end: number): boolean {
  return end - start === 4 && body[start] === 0x6e;
}

function membersIn(value: Json): number {
  if (isList(value)) return value.reduce((sum: number, inner) => sum + membersIn(inner), 0);
  if (!isObject(value)) return 0;
  return Object.values(value).reduce((sum: number, inner) => sum + 1 + membersIn(inner ?? null), 0);
}

/** Number of colons between names and values: one per member as written. */
function colonsIn(body: Buffer, start: number, end: number): number {
  let found = 0;
  for (let at = start; at < end;) {
    const byte = body[at]!;
    if (byte === colon) found++;
    at = byte === quote ? afterString(body, at) : at + 1;
  }
  return found;
}

/** The most decimal digits that a JavaScript number always preserves. */
const exactDigits = 15;

function ordered(value: Json): Json {
  if (isList(value)) return value.map(ordered);
  if (isObject(value)) {
    const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    // No prototype, so that no name is special.
    const made = Object.create(null) as Record<string, Json>;
    for (const [name, inner] of sorted) made[name] = ordered(inner ?? null);
    return made;
  }
  if (!isNumber(value) || typeof value === 'number') return value;
  // 0.70 becomes 0.7; a number that JavaScript would change stays as written.
  const digits = value.rawJSON
    .replace(/e.*$/i, '')
    .replaceAll(/[^0-9]/g, '')
    .replace(/^0+/, '');
  const number = Number(value.rawJSON);
  return digits.length <= exactDigits && Number.isFinite(number) ? number : value;
}

/** A JSON value's bytes without the white space between its tokens. The value has been checked by the scanner. */
function withoutSpaces(body: Buffer, start: number, end: number): Buffer {
  const out = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let at = start; at < end;) {
    const byte = body[at]!;
    if (byte === quote) {
      const after = afterString(body, at);
      length += body.copy(out, length, at, after);
      at = after;
    } else {
      if (byte > 0x20) out[length++] = byte;
      at++;
    }
  }
  return out.subarray(0, length);
}

const quote = 0x22;
const colon = 0x3a;
const backslash = 0x5c;

/** The position after the string that begins at `start`: after the first quote with an even number of backslashes before it. */
function afterString(body: Buffer, start: number): number {
  for (let at = body.indexOf(quote, start + 1); at !== -1; at = body.indexOf(quote, at + 1)) {
    let before = at;
    while (body[before - 1] === backslash) before--;
    if ((at - before) % 2 === 0) return at + 1;
  }
  return body.length;
}
