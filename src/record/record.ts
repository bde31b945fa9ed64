import type { Cost } from '../catalog/types.ts';
import { usageSeen } from '../apis/seen.ts';
import type { Answer, Usage } from '../apis/types.ts';
import type { QualityCheck } from '../grades/checks.ts';
import { isoTime } from '../lib/iso-time.ts';
import type { PolicySnapshot, TargetRef } from '../policy/types.ts';
import { baselineBasis, costOf, difference, estimateSavings, shapeSavings, type BaselineBasis, type Savings } from '../route/savings.ts';
import type { Baseline } from '../route/types.ts';
import type { AttemptRecord, ExchangeRecord, OutcomeKind } from './types.ts';
import type { Mutable } from '../lib/mutable.ts';

/** The facts known when the request was decided. */
export interface RequestFacts extends Pick<
  ExchangeRecord,
  | 'kind'
  | 'id'
  | 'workspace'
  | 'user'
  | 'caller'
  | 'budgets'
  | 'limits'
  | 'provider'
  | 'api'
  | 'operation'
  | 'stream'
  | 'passReason'
  | 'requestedModel'
  | 'verdict'
  | 'decision'
  | 'section'
  | 'mode'
  | 'request'
  | 'cache'
  | 'cacheEntry'
  | 'arm'
  | 'trace'
  | 'requestId'
  | 'traceId'
> {
  /** Time of the request's headers, in ms since the epoch. */
  readonly wallTime: number;
  readonly generation: PolicySnapshot;
  readonly overheadMs: number;
  /** Parameters renamed by the rewrite for the chosen target. */
  readonly adapted?: readonly string[];
  readonly masked?: NonNullable<ExchangeRecord['masked']>;
  readonly call?: NonNullable<ExchangeRecord['call']>;
  readonly keyFile?: string | null;
  readonly template?: string | null;
}

/** How the exchange ended. Times in ms since the request's headers. */
export interface AnswerEnding {
  readonly outcome: OutcomeKind;
  readonly status: number | null;
  /** Null when no answer was read. */
  readonly answer: Answer | null;
  readonly firstByteMs: number | null;
  readonly firstTokenMs: number | null;
  readonly totalMs: number | null;
  /** The result of the chain, if there was one. */
  readonly chain?: ChainEnding;
}

export interface ChainEnding {
  /** The target of the last attempt. */
  readonly served: TargetRef;
  /** Failed attempts in order; with `exhausted`, including the last one. */
  readonly failed: readonly AttemptRecord[];
  /** No attempt was answered: all are in `failed`. */
  readonly exhausted: boolean;
  /** Duration of the last attempt, in ms. */
  readonly lastMs: number;
  readonly lastDropped: readonly string[];
  readonly lastAdapted: readonly string[];
  /** Status returned by the last attempt's provider itself; null if it returned none. */
  readonly lastStatus: number | null;
}

const free: Cost = { known: true, usd: 0 };

/** A call that no provider charges for: no cost and no savings. */
const reading: Savings = { cost: free, baseline: free, savings: free };

/** Closes an exchange: prices its usage and combines everything that explains it in one object. Called once per exchange. */
export function buildRecord(request: RequestFacts, ending: AnswerEnding, quality: QualityCheck | null): ExchangeRecord {
  const { generation, decision, cacheEntry } = request;
  const { answer, chain } = ending;
  const refused = wasRefused(ending);
  const served = refused ? null : (cacheEntry?.target ?? chain?.served ?? decision?.served ?? targetOf(request, answer));
  const usage = answer?.usage ?? null;
  const seen = usage === null ? seenBy(request, answer) : null;
  const answered = answeredFor(request, ending, served, seen);
  const priced = chain === undefined ? answered : withFailed(answered, chain);
  const record: MutableRecord = {
    kind: request.kind,
    id: request.id,
    responseId: answer?.id ?? null,
    requestId: request.requestId ?? null,
    traceId: request.trace?.traceId ?? request.traceId ?? null,
    time: isoTime(request.wallTime),
    workspace: request.workspace,
    user: request.user,
    caller: request.caller,
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
    outcome: ending.outcome,
    status: ending.status,
    finishReason: answer?.finishReason ?? null,
    errorType: answer?.errorType ?? null,
    quality,
    usage,
    usageUnknown: usage === null ? (answer?.usageUnknown ?? 'not-observed') : null,
    cost: priced.cost,
    baseline: priced.baseline,
    savings: priced.savings,
    // An answer from the cache is no attempt, but the failed attempts before it are.
    attempts: cacheEntry === null ? attemptsOf(served, ending, answered.cost, request.adapted ?? nothing) : [...(chain?.failed ?? [])],
    cache: request.cache,
    cacheEntry,
    arm: request.arm,
    trace: request.trace,
    budgets: request.budgets,
    timing: { overheadMs: request.overheadMs, firstByteMs: ending.firstByteMs, firstTokenMs: ending.firstTokenMs, totalMs: ending.totalMs },
  };
  addRequest(record, request, refused);
  if (seen !== null) record.seen = { input: seen.totalInput, output: seen.totalOutput };
  if (priced.basis !== undefined) record.baselineBasis = priced.basis;
  addSavings(record, request, ending, served);
  return record;
}

/** What was seen of an answer without usage; null if nothing was. */
function seenBy({ request, cacheEntry }: RequestFacts, answer: Answer | null): Usage | null {
  return answer?.seen === undefined || cacheEntry !== null ? null : usageSeen(answer.seen, request.estimatedTokens ?? 0);
}

type MutableRecord = Mutable<ExchangeRecord>;

/** Adds what few requests have. */
function addRequest(record: MutableRecord, request: RequestFacts, refused: boolean): void {
  const { call, keyFile, template, masked } = request;
  if (template != null) record.template = template;
  if (call !== undefined) record.call = call;
  if (!refused && keyFile != null && request.cacheEntry === null) record.key = keyFile;
  if (masked !== undefined) record.masked = masked;
  if (request.limits !== undefined) record.limits = request.limits;
}

/** Adds the savings that are not part of the sums. */
function addSavings(record: MutableRecord, request: RequestFacts, ending: AnswerEnding, served: TargetRef | null): void {
  const shaped = shapedBy(request, served, record.usage, ending);
  if (shaped !== null) record.shapeSavings = shaped;
  const shadowed = shadowedBy(request, record.usage);
  if (shadowed !== null) record.shadowSavings = shadowed;
}

/** Sluice answered itself, without asking a provider. */
function wasRefused({ outcome }: AnswerEnding): boolean {
  return outcome === 'blocked' || outcome === 'not-cached';
}

/** The cost of the answer that went to the app. */
function answeredFor(request: RequestFacts, ending: AnswerEnding, served: TargetRef | null, seen: Usage | null): Priced {
  if (request.operation === 'count') return reading;
  // A conversation that only stores is free; one that also answers says what that used.
  if (request.call?.free === true && (request.call.reads || answerIsSilent(ending))) return reading;
  return withError(atLeast(price(request, ending, served), request.generation, served, seen), ending);
}

/** The answer arrived, or failed, without saying that something was used. */
function answerIsSilent({ answer }: AnswerEnding): boolean {
  return answer === null || (answer.usage === null && answer.usageUnknown !== 'cut');
}

/** What the shape saved: known only for answers that arrived, null otherwise. */
function shapedBy(
  { decision, generation, mode, cacheEntry }: RequestFacts,
  served: TargetRef | null,
  usage: Usage | null,
  { status }: AnswerEnding,
): Cost | null {
  const shape = decision?.shape;
  if (
    shape === undefined ||
    shape.changes.length === 0 ||
    mode !== 'enabled' ||
    served === null ||
    cacheEntry !== null ||
    status === null ||
    status >= 400
  )
    return null;
  return shapeSavings(generation, shape, served, usage);
}

/** What the choice that shadow mode did not apply would have saved; null if it would have changed nothing. */
function shadowedBy({ decision, generation, cacheEntry }: RequestFacts, usage: Usage | null): Cost | null {
  const would = decision?.wouldServe ?? null;
  if (
    decision === null ||
    would === null ||
    cacheEntry !== null ||
    (would.provider === decision.requested.provider && would.model === decision.requested.model)
  )
    return null;
  return difference(costOf(generation, decision.requested, usage), costOf(generation, would, usage));
}

function attemptsOf(served: TargetRef | null, ending: AnswerEnding, cost: Cost, rewritten: readonly string[]): AttemptRecord[] {
  if (served === null) return [];
  const { chain, outcome, status } = ending;
  if (chain?.exhausted === true) return [...chain.failed];
  const adapted = chain === undefined || chain.lastAdapted.length === 0 ? rewritten : chain.lastAdapted;
  const last: Mutable<AttemptRecord> = {
    target: served,
    status,
    outcome,
    reason: null,
    ms: chain?.lastMs ?? ending.totalMs,
    cost,
    dropped: chain?.lastDropped ?? nothing,
  };
  if (adapted.length > 0) last.adapted = adapted;
  return chain === undefined ? [last] : [...chain.failed, last];
}

const nothing: readonly never[] = [];

/** An unknown cost, with the cost of the observed tokens as a lower bound. */
function atLeast(priced: Priced, generation: PolicySnapshot, served: TargetRef | null, seen: Usage | null): Priced {
  if (seen === null || served === null || priced.cost.known || priced.cost.reason !== 'usage') return priced;
  const cost = costOf(generation, served, seen);
  return cost.known ? { ...priced, cost: { ...priced.cost, atLeastUsd: cost.usd } } : priced;
}

/**
 * Providers do not bill error responses. A 5xx may be Envoy's own, sent after the provider worked on the request: only a chain knows that
 * it was not. The savings stay unknown.
 */
function withError(priced: Priced, { outcome, status, chain }: AnswerEnding): Priced {
  // The app may have received Sluice's own response instead of an unreadable one.
  const own = chain?.lastStatus ?? status;
  const unbilled =
    outcome === 'provider-error' && !priced.cost.known && own !== null && own >= 400 && (own < 500 || chain?.exhausted === false);
  return unbilled ? { ...priced, cost: free } : priced;
}

/** Failed attempts are billed, and count against the savings of the app's answer. */
function withFailed(answered: Priced, chain: ChainEnding): Priced {
  let usd = 0;
  let unknown: Cost | null = null;
  for (const { cost } of chain.failed) {
    if (cost.known) usd += cost.usd;
    else unknown ??= cost;
  }
  if (chain.exhausted) return { ...answered, cost: unknown ?? { known: true, usd }, savings: { known: false, reason: 'usage' } };
  if (unknown !== null || !answered.cost.known) {
    const cost = answered.cost.known ? unknown! : answered.cost;
    return { ...answered, cost, savings: cost };
  }
  const cost: Cost = { known: true, usd: answered.cost.usd + usd };
  return { ...answered, cost, savings: difference(answered.baseline, cost) };
}

/** The cost of a call, its baseline, and the basis of the baseline; `basis` is absent if there was no computation. */
type Priced = Savings & { basis?: BaselineBasis };

/** The target of a call that was not decided. A call that names no model gets the provider's default, which its answer may name. */
function targetOf({ provider, requestedModel, call }: RequestFacts, answer: Answer | null): TargetRef | null {
  const model = requestedModel ?? (call?.reads === true ? null : (answer?.model ?? null));
  return provider === null || model === null ? null : { provider, model };
}

function price(request: RequestFacts, ending: AnswerEnding, served: TargetRef | null): Priced {
  const { generation, decision, cacheEntry } = request;
  const baseline: Cost = { known: false, reason: 'usage' };
  // A refused request was never sent: its cost is zero, and what it would have cost is unknown.
  if (wasRefused(ending)) return { cost: free, baseline, savings: difference(baseline, free) };
  const usage = ending.answer?.usage ?? null;
  const requested = decision?.requested ?? targetOf(request, ending.answer);
  const against: Baseline | null = decision?.baseline ?? (requested === null ? null : { target: requested, typical: null });
  if (against === null || served === null) {
    const unknown: Cost = { known: false, reason: usage === null ? 'usage' : 'model' };
    return { cost: unknown, baseline: unknown, savings: unknown };
  }
  const answers = request.request.asks?.answers ?? 1;
  // No app asked for it: without Sluice it would have cost nothing.
  if (request.kind === 'shadow' || request.kind === 'judge') {
    const { cost } = estimateSavings(generation, against, served, usage, answers);
    return { cost, baseline: free, savings: difference(free, cost) };
  }
  const savings: Priced = estimateSavings(generation, against, served, usage, answers);
  if (decision?.baseline !== undefined) savings.basis = baselineBasis(generation, against, usage, answers);
  // A cached answer costs nothing, and saves what the requested model would have cost.
  return cacheEntry === null ? savings : { ...savings, cost: free, savings: difference(savings.baseline, free) };
}
