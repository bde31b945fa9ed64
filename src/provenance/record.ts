import type { Cost } from '../catalog/types.ts';
import type { Answer } from '../dialects/types.ts';
import type { PolicyGeneration, TargetRef } from '../policy/types.ts';
import { difference, estimateSavings, type Savings } from '../route/savings.ts';
import type { ExchangeRecord, OutcomeKind } from './types.ts';

/** What was known when the request was decided. */
export interface RequestFacts
  extends Pick<
    ExchangeRecord,
    'kind' | 'id' | 'workspace' | 'provider' | 'api' | 'operation' | 'stream' | 'passReason' | 'requestedModel' | 'verdict' | 'decision' | 'section' | 'mode' | 'request' | 'cache' | 'cacheEntry'
  > {
  /** Milliseconds since the epoch at the request's headers. */
  readonly wallTime: number;
  readonly generation: PolicyGeneration;
  readonly overheadMs: number;
}

/** How the exchange ended. Times in ms since the request's headers. */
export interface AnswerFacts {
  readonly outcome: OutcomeKind;
  readonly status: number | null;
  /** Null when no answer was read. */
  readonly answer: Answer | null;
  readonly firstByteMs: number | null;
  readonly firstTokenMs: number | null;
  readonly totalMs: number | null;
}

const free: Cost = { known: true, usd: 0 };

/** Closes an exchange: prices its usage and puts everything that explains it in one object. Called once per exchange. */
export function buildRecord(request: RequestFacts, ending: AnswerFacts): ExchangeRecord {
  const { generation, decision } = request;
  const { answer, outcome } = ending;
  const requested = decision?.requested ?? targetOf(request.provider, request.requestedModel);
  const refused = outcome === 'blocked' || outcome === 'not-cached';
  const served = refused ? null : (request.cacheEntry?.target ?? decision?.served ?? requested);
  const usage = answer?.usage ?? null;
  const priced = price(generation, requested, served, refused, request.cacheEntry !== null, usage);
  return {
    kind: request.kind,
    id: request.id,
    time: new Date(request.wallTime).toISOString(),
    workspace: request.workspace,
    provider: request.provider,
    api: request.api,
    operation: request.operation,
    stream: request.stream,
    passReason: request.passReason,
    requestedModel: request.requestedModel,
    servedModel: served?.model ?? null,
    answeredModel: answer?.model ?? null,
    verdict: request.verdict,
    decision,
    section: request.section,
    mode: request.mode,
    policy: { number: generation.number, hash: generation.hash, resourceVersion: generation.resourceVersion },
    catalogVersion: generation.catalog.version,
    request: request.request,
    outcome,
    status: ending.status,
    finishReason: answer?.finishReason ?? null,
    errorType: answer?.errorType ?? null,
    usage,
    usageUnknown: usage === null ? (answer?.usageUnknown ?? 'not-observed') : null,
    cost: priced.cost,
    baseline: priced.baseline,
    savings: priced.savings,
    attempts: served === null || request.cacheEntry !== null ? [] : [{ target: served, status: ending.status, outcome, ms: ending.totalMs }],
    cache: request.cache,
    cacheEntry: request.cacheEntry,
    arm: null,
    timing: { overheadMs: request.overheadMs, firstByteMs: ending.firstByteMs, firstTokenMs: ending.firstTokenMs, totalMs: ending.totalMs },
  };
}

function targetOf(provider: string | null, model: string | null): TargetRef | null {
  return provider === null || model === null ? null : { provider, model };
}

function price(generation: PolicyGeneration, requested: TargetRef | null, served: TargetRef | null, refused: boolean, cached: boolean, usage: Answer['usage']): Savings {
  const baseline: Cost = { known: false, reason: 'usage' };
  // A refused request never left: it cost nothing, and what it would have cost nobody knows.
  if (refused) return { cost: free, baseline, savings: difference(baseline, free) };
  if (requested === null || served === null) {
    const unknown: Cost = { known: false, reason: usage === null ? 'usage' : 'model' };
    return { cost: unknown, baseline: unknown, savings: unknown };
  }
  const savings = estimateSavings(generation, requested, served, usage);
  // A cached answer costs nothing, and saves what the requested model would have cost.
  return cached ? { cost: free, baseline: savings.baseline, savings: difference(savings.baseline, free) } : savings;
}
