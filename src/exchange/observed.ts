import { performance } from 'node:perf_hooks';
import type { CallAdmission } from '../budgets/budgets.ts';
import type { Recognition } from '../apis/types.ts';
import { answerSource } from './answer/logged.ts';
import { callOf } from './call.ts';
import type { Arrived } from './context.ts';
import { modelInQuery } from './observed-rules.ts';
import { uncached, type OpenExchange } from './open.ts';

export type Observed = Recognition & { readonly kind: 'observed' };

/** The exchange of a request that is recognised but not changed: its answer's status and time are recorded. `counted`: in budgets and limits. */
export function observedExchange(
  request: Arrived,
  recognition: Observed,
  { masked, counted }: { readonly masked?: OpenExchange['masked']; readonly counted?: CallAdmission | null } = {},
): OpenExchange {
  const { caller, startedAt } = request;
  const call = callOf(request.method ?? 'POST', request.path, recognition.reason);
  return {
    kind: 'observed',
    id: request.id,
    startedAt,
    wallTime: caller.now,
    generation: request.generation,
    workspace: caller.workspace,
    user: caller.user,
    requestId: caller.requestId ?? null,
    traceId: caller.traceId ?? null,
    caller: null,
    budgets: counted?.facts ?? [],
    ...(counted == null || counted.limits.length === 0 ? {} : { limits: counted.limits }),
    reservation: counted?.reservation ?? null,
    ...(counted?.reservation == null ? {} : { peer: request.peer }),
    provider: request.provider.name,
    api: recognition.api,
    operation: 'other',
    stream: false,
    passReason: recognition.reason,
    call,
    // What only reads asks no model, even if its path names one.
    requestedModel: call.reads ? null : (recognition.model ?? modelInQuery(request.path)),
    verdict: null,
    decision: null,
    section: request.section.name,
    mode: request.section.mode,
    request: unread,
    ...(masked === undefined ? {} : { masked }),
    usageNotAsked: false,
    keyFile: null,
    ...uncached,
    chain: null,
    template: null,
    trace: request.trace,
    grading: null,
    arm: null,
    sessionIdleMs: null,
    answerBy: answerSource(request.usage, { api: recognition.api, fill: null, grading: null }, null, null),
    overheadMs: performance.now() - startedAt,
  };
}

/** What is known of a request that was not read. */
export const unread: OpenExchange['request'] = {
  bytes: 0,
  estimatedTokens: null,
  messages: null,
  tools: null,
  images: null,
  promptHash: null,
  promptStart: null,
  asks: null,
};
