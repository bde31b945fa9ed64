import { userHash } from '../budgets/user.ts';
import type { ParsedRequest, RequestHead } from '../apis/types.ts';
import type { HeaderMap } from '../lib/headers.ts';
import { limits } from '../lib/limits.ts';
import { traceIdOf } from '../record/trace.ts';
import type { CallerFacts } from '../record/types.ts';
import type { CallerContext, PolicySnapshot } from '../policy/types.ts';
import type { Claims } from './claims.ts';
import type { Mutable } from '../lib/mutable.ts';

const wholeNumber = /^\d+$/;

/** The facts in a request's method, path and headers. */
export function headOf(headers: HeaderMap, path: string, authority: string): RequestHead {
  const method = headers.get(':method') ?? 'GET';
  const length = headers.get('content-length');
  return {
    method,
    path,
    authority,
    contentType: headers.get('content-type') ?? '',
    contentEncoding: headers.get('content-encoding') ?? '',
    contentLength: length === undefined || !wholeNumber.test(length) ? null : Number(length),
    upgrade: headers.get('upgrade') !== undefined || method === 'CONNECT',
  };
}

const routeHeaders = ['x-sluice-route'];
const userTierHeaders = ['x-sluice-user-tier'];
const qualityHeaders = ['x-sluice-quality'];
const taskHeaders = ['x-sluice-task'];
const sessionHeaders = ['x-sluice-session'];

/** The caller, from Envoy's facts and the headers that the policy names. `requestIdHeader`: the header with the app's own request id. */
export function callerOf(
  headers: HeaderMap,
  generation: PolicySnapshot,
  claims: Claims,
  requestIdHeader: string | null = null,
): CallerContext {
  const workspace = (claims.is('workspaceIs') ?? claims.said('workspace', generation.workspaceHeaders) ?? 'default').slice(
    0,
    limits.workspaceUnits,
  );
  claims.inWorkspace(workspace);
  const user = claims.is('userIs') ?? claims.said('user', generation.userHeaders);
  return {
    workspace: workspace === '' ? 'default' : workspace,
    trust: claims,
    userTier: lower(claims.is('userTierIs') ?? claims.said('user-tier', userTierHeaders)),
    quality: lower(claims.said('quality', qualityHeaders)),
    task: lower(claims.said('task', taskHeaders)),
    session: claims.said('session', sessionHeaders) ?? null,
    user: user === undefined ? null : userHash(user),
    headers: readableOf(headers, generation.ruleHeaders),
    requestId: requestIdHeader === null ? null : (headers.get(requestIdHeader)?.slice(0, limits.joinIdUnits) ?? null),
    traceId: traceIdOf(headers.get('traceparent')),
    now: Date.now(),
  };
}

/** Whether the caller asks to keep its own model and is trusted to do so. */
export function keepsModel(claims: Claims): boolean {
  return claims.said('route', routeHeaders)?.toLowerCase() === 'off';
}

/** The headers that rules may read; a header that came twice is ignored. */
function readableOf(headers: HeaderMap, names: readonly string[]): ReadonlyMap<string, string> {
  if (names.length === 0) return noHeaders;
  const readable = new Map<string, string>();
  for (const name of names) {
    const value = headers.get(name);
    if (value !== undefined && headers.repeated?.(name) !== true) readable.set(name, value);
  }
  return readable;
}

const noHeaders: ReadonlyMap<string, string> = new Map();

function lower(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value.toLowerCase();
}

/** The caller's facts for the record: its claims and which of them were trusted. */
export function callerFacts({ userTier, quality, task, trust }: CallerContext): CallerFacts {
  const facts: Mutable<CallerFacts> = { userTier, quality, task };
  if (trust === undefined) return facts;
  if (trust.identity !== null) facts.identity = trust.identity;
  if (trust.rule !== null) facts.trusted = trust.rule;
  if (trust.ignored.length > 0) facts.ignored = trust.ignored;
  return facts;
}

/** The user: from the header, which the gateway's side may have set, otherwise from the app's body. */
export function userOf(caller: CallerContext, exchange: ParsedRequest): string | null {
  return caller.user ?? (exchange.user === null || caller.trust?.believesBody('user') === false ? null : userHash(exchange.user));
}
