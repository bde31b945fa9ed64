import { performance } from 'node:perf_hooks';
import type { UsageMode } from '../extproc/types.ts';
import type { Recognition } from '../apis/types.ts';
import type { CallerContext, PolicyGeneration, PolicySection, Provider } from '../policy/types.ts';
import type { TraceFacts } from '../record/trace.ts';
import { callOf } from './call.ts';
import { answerSource } from './logged.ts';
import type { OpenExchange } from './open.ts';
import { uncached } from './request.ts';

/** What the headers say of a request that is known and left alone. */
export interface ObservedRequest {
  readonly id: string;
  readonly startedAt: number;
  readonly generation: PolicyGeneration;
  readonly provider: Provider;
  readonly caller: CallerContext;
  readonly recognition: Recognition & { readonly kind: 'observed' };
  readonly section: Pick<PolicySection, 'name' | 'mode'>;
  readonly trace: TraceFacts | null;
  readonly usage: UsageMode;
  /** Absent: POST, which all calls are that can be decided. */
  readonly method?: string;
  /** Absent: nothing was masked. */
  readonly maskedRules?: NonNullable<OpenExchange['masked']>;
  /** The provider's path with its query. */
  readonly path: string;
}

/** Its exchange: its answer's status and time will be recorded. */
export function observedExchange({
  id,
  startedAt,
  generation,
  provider,
  caller,
  recognition,
  section,
  trace,
  usage,
  method = 'POST',
  path,
  maskedRules,
}: ObservedRequest): OpenExchange {
  return {
    kind: 'observed',
    id,
    startedAt,
    wallTime: caller.now,
    generation,
    workspace: caller.workspace,
    user: caller.user,
    requestId: caller.requestId ?? null,
    traceId: caller.traceId ?? null,
    caller: null,
    budgets: [],
    reservation: null,
    provider: provider.name,
    api: recognition.api,
    operation: 'other',
    stream: false,
    passReason: recognition.reason,
    call: callOf(method, path, recognition.reason),
    requestedModel: recognition.model,
    verdict: null,
    decision: null,
    section: section.name,
    mode: section.mode,
    request: {
      bytes: 0,
      estimatedTokens: null,
      messages: null,
      tools: null,
      images: null,
      promptHash: null,
      promptStart: null,
      asks: null,
    },
    ...(maskedRules === undefined ? {} : { masked: maskedRules }),
    usageNotAsked: false,
    keyFile: null,
    ...uncached,
    chain: null,
    output: null,
    trace,
    grading: null,
    arm: null,
    sessionIdleMs: null,
    answerBy: answerSource(usage, { api: recognition.api, fill: null, grading: null }, null, null),
    overheadMs: performance.now() - startedAt,
  };
}
