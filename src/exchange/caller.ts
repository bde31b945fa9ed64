import { userHash } from '../budgets/user.ts';
import type { RequestHead } from '../apis/types.ts';
import type { HeaderMap } from '../extproc/types.ts';
import { limits } from '../lib/limits.ts';
import { traceIdOf } from '../record/trace.ts';
import type { CallerContext, PolicyGeneration } from '../policy/types.ts';

/** What a request's line and headers say of it. */
export function headOf(headers: HeaderMap, path: string, authority: string): RequestHead {
  const method = headers.get(':method') ?? 'GET';
  const length = headers.get('content-length');
  return {
    method,
    path,
    authority,
    contentType: headers.get('content-type') ?? '',
    contentEncoding: headers.get('content-encoding') ?? '',
    contentLength: length === undefined || !/^\d+$/.test(length) ? null : Number(length),
    upgrade: headers.get('upgrade') !== undefined || method === 'CONNECT',
  };
}

/** Who is asking, by the headers that the policy names. `requestIdHeader`: the header with the app's own id of the request. */
export function callerOf(headers: HeaderMap, generation: PolicyGeneration, requestIdHeader: string | null = null): CallerContext {
  let workspace = '';
  for (const name of generation.workspaceHeaders) {
    workspace = headers.get(name) ?? '';
    if (workspace !== '') break;
  }
  const readable = new Map<string, string>();
  for (const name of generation.ruleHeaders) {
    const value = headers.get(name);
    if (value !== undefined) readable.set(name, value);
  }
  return {
    workspace: workspace === '' ? 'default' : workspace.slice(0, limits.workspaceUnits),
    userTier: lower(headers.get('x-sluice-user-tier')),
    quality: lower(headers.get('x-sluice-quality')),
    task: lower(headers.get('x-sluice-task')),
    session: headers.get('x-sluice-session') ?? null,
    user: userOf(headers, generation),
    headers: readable,
    requestId: requestIdHeader === null ? null : (headers.get(requestIdHeader)?.slice(0, limits.joinIdUnits) ?? null),
    traceId: traceIdOf(headers.get('traceparent')),
    now: Date.now(),
  };
}

function userOf(headers: HeaderMap, { userHeaders }: PolicyGeneration): string | null {
  for (const name of userHeaders) {
    const user = headers.get(name);
    if (user !== undefined && user !== '') return userHash(user);
  }
  return null;
}

function lower(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value.toLowerCase();
}
