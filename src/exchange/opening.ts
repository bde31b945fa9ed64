import { hash as digest } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { adaptedLimit } from '../apis/parameters.ts';
import { apis } from '../apis/registry.ts';
import type { ParameterValue, ParsedRequest } from '../apis/types.ts';
import type { BudgetAdmission } from '../budgets/budgets.ts';
import { idDigits } from '../cache/types.ts';
import type { PolicySnapshot, PolicySection } from '../policy/types.ts';
import type { ExchangeRecord, RequestAsks } from '../record/types.ts';
import type { Decision } from '../route/types.ts';
import { asksForUsage, limitNameAt, saysUsageOnRequest } from './adapt.ts';
import { answerSource, addLogMetadata } from './answer/logged.ts';
import { callerFacts, userOf } from './caller.ts';
import type { ChainRun } from './chain/run.ts';
import { holdsSensitive, type ReadRequest, type RequestContext } from './context.ts';
import type { CacheFacts, OpenExchange } from './open.ts';
import type { SluiceMetadata } from './plans.ts';
import type { Mutable } from '../lib/mutable.ts';

/** The outcome of a request that was read. */
export interface Opening {
  readonly kind: ExchangeRecord['kind'];
  /** Null if the cache answers. */
  readonly verdict: OpenExchange['verdict'];
  readonly decision: Decision | null;
  readonly template: OpenExchange['template'];
  readonly cache: CacheFacts;
  readonly chain: ChainRun | null;
  readonly grading: OpenExchange['grading'];
  readonly admission: Pick<BudgetAdmission, 'facts' | 'limits' | 'reservation'>;
  /** When Sluice began to work on the body, by performance.now(). */
  readonly enteredAt: number;
}

/** The facts of an exchange, as its record will hold them. */
export function openExchange({ context, exchange, body }: ReadRequest, opening: Opening): OpenExchange {
  const { cache, decision, grading, admission } = opening;
  const { fill } = cache;
  nameConversation(context, exchange);
  const open: Mutable<OpenExchange> = {
    kind: opening.kind,
    id: context.id,
    startedAt: context.startedAt,
    wallTime: context.wallTime,
    generation: context.generation,
    workspace: context.caller.workspace,
    user: userOf(context.caller, exchange),
    requestId: context.caller.requestId ?? null,
    traceId: context.caller.traceId ?? null,
    caller: callerFacts(context.caller),
    budgets: admission.facts,
    reservation: admission.reservation,
    peer: context.peer,
    provider: context.provider.name,
    api: exchange.api,
    operation: exchange.operation,
    stream: exchange.stream,
    passReason: null,
    requestedModel: exchange.model,
    verdict: opening.verdict,
    decision,
    template: opening.template,
    section: context.section.name,
    mode: context.section.mode,
    request: requestFacts(context, exchange),
    keyFile: null,
    arm: context.arm,
    adapted: adaptedBy(context.generation, exchange, decision),
    cache: cache.cache,
    cacheEntry: cache.cacheEntry,
    trace: context.trace,
    fill,
    chain: opening.chain,
    grading,
    // If Sluice answers itself, no provider's answer follows.
    answerBy: decision === null ? 'copies' : answerSource(context.usage, { api: exchange.api, fill, grading }, exchange, body),
    sessionIdleMs: decision?.session === undefined ? null : (context.section.sessions?.idleMs ?? null),
    usageNotAsked: saysUsageOnRequest(exchange) && exchange.includeUsage !== true && !asksForUsage(context, exchange),
    overheadMs: performance.now() - opening.enteredAt,
  };
  const { unclear } = apis[exchange.api].answer;
  if (unclear !== undefined && decision !== null && body.includes(unclear.bytes)) open.unclear = true;
  if (admission.limits.length > 0) open.limits = admission.limits;
  if (context.masked !== null) open.masked = context.masked.rules;
  return open;
}

/** Spans carry the app's own name of its conversation, never a key that Sluice derived from its text. */
function nameConversation({ trace, sessionName, caller }: RequestContext, { session }: ParsedRequest): void {
  if (trace?.sampled !== true) return;
  const name = sessionName ?? (caller.trust?.believesBody('session') === false ? null : session);
  if (name !== null) trace.conversation = name;
}

function requestFacts(context: RequestContext, exchange: ParsedRequest): ExchangeRecord['request'] {
  const sensitive = holdsSensitive(context);
  const captured = sensitive ? 'none' : context.section.promptCapture.kind;
  return {
    bytes: exchange.bodyBytes,
    estimatedTokens: exchange.promptTokens,
    messages: exchange.messages,
    tools: exchange.tools,
    images: exchange.images,
    promptHash: captured === 'none' ? null : hash(exchange.lastUser),
    promptStart: captured === 'truncate' ? startOf(exchange, context.section) : null,
    asks: asksOf(exchange, sensitive),
  };
}

function asksOf(exchange: ParsedRequest, sensitive: boolean): RequestAsks {
  const asks: Mutable<RequestAsks> = {
    userTurns: exchange.userTurns,
    userUnits: exchange.lastUser.length,
    maxOutputTokens: exchange.maxOutputTokens,
    answers: exchange.n,
    jsonOutput: exchange.jsonOutput,
    audioInputs: exchange.audioInputs,
    audioOutput: exchange.audioOutput,
    files: exchange.files,
    reasoning: exchange.reasoning,
  };
  if (exchange.parameters.length > 0) asks.parameters = parametersOf(exchange, sensitive);
  return asks;
}

/** Parameters with their values; texts are left out if the request holds sensitive data, which may be one of them. */
function parametersOf({ parameters }: ParsedRequest, sensitive: boolean): NonNullable<RequestAsks['parameters']> {
  const all = new Array<readonly [string, ParameterValue]>(parameters.length);
  for (let at = 0; at < parameters.length; at++) {
    const { name, value } = parameters[at]!;
    all[at] = [name, sensitive && typeof value === 'string' ? null : value];
  }
  return all;
}

const unadapted: readonly string[] = [];

/** The parameters that the rewrite renamed or changed for the chosen target. */
function adaptedBy(generation: PolicySnapshot, exchange: ParsedRequest, decision: Decision | null): readonly string[] {
  if (decision?.action !== 'route') return unadapted;
  const name = limitNameAt(generation, decision.served, exchange);
  return name === null ? unadapted : [adaptedLimit(name)];
}

/** Copied through a Buffer so that a short start does not keep the whole text alive. */
function startOf({ lastUser }: ParsedRequest, { promptCapture }: PolicySection): string | null {
  return promptCapture.kind === 'truncate' ? Buffer.from(lastUser.slice(0, promptCapture.units)).toString() : null;
}

function hash(text: string): string {
  return digest('sha256', text).slice(0, 16);
}

/** The metadata of a request that Sluice refuses: without a model and with no attempt, since none was called. */
export function refusedMetadata(open: OpenExchange): SluiceMetadata {
  const metadata = Object.fromEntries(Object.entries(metadataOf(open)).filter(([name]) => name !== 'model'));
  return 'attempts' in metadata ? { ...metadata, attempts: '0' } : metadata;
}

/** The metadata that Envoy keeps for the response headers, the access log, and the second filter. */
export function metadataOf(open: OpenExchange): SluiceMetadata {
  const { decision } = open;
  const { id, requestedModel } = open;
  const reason = decision?.reason ?? open.passReason ?? '';
  const metadata: Record<string, string> =
    requestedModel === null
      ? { id, reason }
      : { id, reason, requested_model: requestedModel, model: decision?.served.model ?? requestedModel };
  if (open.fill !== null) metadata['cache_entry'] = open.fill.request.key.slice(0, idDigits);
  if (open.cache !== 'off') metadata['cache'] = open.cache;
  addLogMetadata(open, metadata);
  if (decision !== null) {
    metadata['tier'] = decision.tier;
    if (open.arm !== null) metadata['arm'] = open.arm;
    metadata['attempts'] = '1';
  }
  return metadata;
}
