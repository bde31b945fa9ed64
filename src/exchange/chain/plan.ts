import type { CacheHit } from '../../cache/cache.ts';
import { limits } from '../../lib/limits.ts';
import { apis } from '../../apis/registry.ts';
import { neutralDrops } from '../../apis/translate.ts';
import { takesAsIs } from '../../apis/translatable.ts';
import type { Restoring } from '../../apis/mask/restore.ts';
import type { ParsedRequest } from '../../apis/types.ts';
import { attemptClusterKey, chainHeader, chainHosts, clusterName, errorForm, errorsKey, type FilterRole } from '../../attach/names.ts';
import type { SluiceMetadata } from '../plans.ts';
import type { FallbackPolicy, FallbackTrigger, InAnswer, PolicySnapshot, TargetRef } from '../../policy/types.ts';
import { askedModel, type LearntRefusals } from '../../apis/parameters.ts';
import { catalogModel } from '../../route/capabilities.ts';
import { requestedSchema } from '../../apis/requested-schema.ts';
import type { Decision } from '../../route/types.ts';
import { asksForUsage, limitNameAt } from '../adapt.ts';
import { ChainRun, timeoutsOf, type ChainFacts, type ChainServices } from './run.ts';
import type { ReadRequest, RequestContext } from '../context.ts';

/** The plan of one chain for Envoy, in addition to the request's own changes. */
export interface ChainPlan {
  readonly run: ChainRun;
  readonly headers: readonly (readonly [string, string])[];
  readonly metadata: SluiceMetadata;
  /** Until the answer has begun or Envoy gives up, ms; null if there is no limit. */
  readonly mostMs: number | null;
  /** The request filter prepares the first target's request; otherwise its attempt does. */
  readonly firstIsReady: boolean;
}

/** Failures that Envoy's router must detect itself: attempts without any answer. The attempt's filter checks answers. */
const silentEnds: readonly (readonly [FallbackTrigger, string])[] = [
  ['connect', 'connect-failure,refused-stream'],
  ['reset', 'reset'],
  // Envoy reports an attempt that timed out as a reset.
  ['timeout', 'reset'],
];

/** What the cache means to a chain: a stale answer, and who waits for its answer (`whenSilent` of the facts). */
interface Cached {
  readonly old: CacheHit | null;
  readonly whenSilent: ChainFacts['whenSilent'];
}

/**
 * The plan of a decision with several targets, with a stale answer as the last resort, or with a target that speaks another API;
 * null if there is only one attempt in the app's own API.
 */
export function planChain(request: ReadRequest, decision: Decision, services: ChainServices, cached: Cached): ChainPlan | null {
  const { old, whenSilent } = cached;
  const { context, exchange } = request;
  const [first] = decision.chain;
  if (first === undefined) return null;
  // The stale answer's provider must still exist, since Envoy needs a cluster for the attempt; and Envoy must support chains of groups.
  const rescue = old !== null && context.envoy.attemptClusters && context.generation.providers.has(old.entry.provider) ? old : null;
  const spare = mayBeRefused(context, exchange, decision, services);
  const stripUsage = strips(context, exchange);
  const restoring = restoringOf(context, exchange);
  const tells = tellsOf(context, exchange);
  const changesAnswer = stripUsage || restoring !== null || tells !== null || crosses(context, exchange, first);
  const fallback = context.section.fallback ?? (spare || changesAnswer ? refusalsOnly : null);
  const tried = spare ? [...decision.chain, decision.requested] : decision.chain;
  const targets = rescue === null ? tried : [...tried, { provider: rescue.entry.provider, model: rescue.entry.model }];
  if (fallback === null || (targets.length < 2 && !changesAnswer)) return null;
  return planOf(
    request,
    tried,
    factsOf(request, decision.requested, { fallback, targets, spare, rescue, whenSilent, stripUsage, restoring, tells }),
    services,
  );
}

/** `tried`: the targets without a stale answer's. */
function planOf({ context, exchange }: ReadRequest, tried: readonly TargetRef[], facts: ChainFacts, services: ChainServices): ChainPlan {
  const { fallback, targets, rescue } = facts;
  const { perTryMs, totalMs } = timeoutsOf(fallback, targets.length, exchange);
  const run = new ChainRun(facts, services, perTryMs);
  const roles = rolesOf(context, fallback, exchange, tried);
  if (rescue !== null) roles.push('next');
  const firstIsReady = roles[0] === 'gate';
  if (firstIsReady) run.begin();
  const places = context.envoy.attemptEndpoints
    ? { hosts: chainHosts(targets) }
    : attemptClusters(targets.map((target, index) => clusterName(target.provider, roles[index])));
  const crossing = targets.some((target) => crosses(context, exchange, target));
  return {
    run,
    headers: chainHeaders(facts, roles[0] ?? '', perTryMs, totalMs),
    metadata: crossing ? { ...places, [errorsKey]: errorForm(exchange.api) } : places,
    firstIsReady,
    mostMs: totalMs ?? (perTryMs === null ? null : perTryMs * targets.length),
  };
}

function factsOf(
  { context, exchange, body }: ReadRequest,
  requested: TargetRef,
  plan: Pick<ChainFacts, 'fallback' | 'targets' | 'spare' | 'rescue' | 'whenSilent' | 'stripUsage' | 'restoring' | 'tells'>,
): ChainFacts {
  const { fallback } = plan;
  const looksAtSchema = exchange.jsonOutput === 'schema' && fallback.triggers.has('invalid-json') && body.length <= fallback.inspectBytes;
  return {
    ...plan,
    generation: context.generation,
    provider: context.provider,
    requested,
    parameters: exchange.parameters.map(({ name }) => name),
    recognition: context.recognition,
    path: context.path,
    stream: exchange.stream,
    includeUsage: exchange.includeUsage === true,
    expects: { jsonOutput: exchange.jsonOutput, schema: looksAtSchema ? requestedSchema(exchange.api, body) : null },
    trace: context.trace,
    scope: context.section,
    ownHeaders: context.ownHeaders.list,
  };
}

/** Request headers that configure Envoy's router for a chain. `role`: of its first attempt. Times in ms; null if there is no limit. */
function chainHeaders(
  { fallback, targets }: ChainFacts,
  role: string,
  perTryMs: number | null,
  totalMs: number | null,
): ChainPlan['headers'] {
  const retryOn = silentEnds.filter(([trigger]) => fallback.triggers.has(trigger)).map(([, name]) => name);
  return [
    [chainHeader, role],
    ['x-envoy-retry-on', [...new Set([...retryOn, 'retriable-headers'])].join(',')],
    ['x-envoy-max-retries', String(targets.length - 1)],
    ...(perTryMs === null ? [] : [['x-envoy-upstream-rq-per-try-timeout-ms', String(perTryMs)] as const]),
    ...(totalMs === null ? [] : [['x-envoy-upstream-rq-timeout-ms', String(totalMs)] as const]),
  ];
}

/** One group per attempt: Envoy takes the next one with every retry. The same again for a matcher, which cannot read lists. */
function attemptClusters(clusters: readonly string[]): SluiceMetadata {
  return {
    priority_groups: clusters.map((cluster_name, index) => ({ name: `attempt${index + 1}`, clusters: [{ cluster_name, weight: 1 }] })),
    ...Object.fromEntries(clusters.map((cluster, index) => [attemptClusterKey(index + 1), cluster])),
  };
}

/** If a chain's targets are endpoints, all attempts run in one cluster and share one role: the most capable of those needed. */
function rolesOf(context: RequestContext, fallback: FallbackPolicy, exchange: ParsedRequest, targets: readonly TargetRef[]): FilterRole[] {
  const roles = targets.map((target, index) => roleFor(context, fallback, exchange, target, index));
  if (context.envoy.attemptClusters) return roles;
  const role = roles.includes('stream') ? 'stream' : 'next';
  return roles.map(() => role);
}

function roleFor(context: RequestContext, fallback: FallbackPolicy, exchange: ParsedRequest, target: TargetRef, index: number): FilterRole {
  const across = crosses(context, exchange, target);
  // Also for whole answers: Envoy breaks down when it holds and replaces several megabytes.
  if (restoringOf(context, exchange) !== null || tellsOf(context, exchange) !== null) return 'stream';
  if (exchange.stream && (across || fallback.triggers.has('stream-error') || strips(context, exchange))) return 'stream';
  // Later attempts start from the request as the app sent it: a parameter renamed for one model may be wrong for the next.
  return index === 0 && !across && limitNameAt(context.generation, target, exchange) === null ? 'gate' : 'next';
}

/** Whether the usage chunk that the policy asked for must be removed; this needs an Envoy that supports chains. */
function strips(context: RequestContext, exchange: ParsedRequest): boolean {
  return context.envoy.chains && asksForUsage(context, exchange);
}

/** What Sluice adds to the answer for its app; null if nothing or if this Envoy does not support it. */
function tellsOf({ section, envoy }: RequestContext, { operation }: ParsedRequest): InAnswer | null {
  return section.mode === 'enabled' && envoy.chains && operation === 'generate' ? section.inAnswer : null;
}

/** Originals to restore in place of mask tokens in the answer; null if there are none or this Envoy does not support it. */
function restoringOf({ masked, envoy }: RequestContext, { api, operation, jsonOutput }: ParsedRequest): Restoring | null {
  if (masked === null || masked.restored.size === 0 || operation !== 'generate' || !envoy.chains) return null;
  return { reading: apis[api].answer.deltas, originals: masked.restored, jsonOutput: jsonOutput !== 'none' };
}

/**
 * For a section without fallback: the only retry is for a parameter that a model chosen by Sluice refused. A first target of another API is
 * translated nevertheless.
 */
const refusalsOnly: FallbackPolicy = {
  triggers: new Set(),
  escalate: false,
  tierChains: { simple: [], standard: [], complex: [] },
  modelChains: new Map(),
  pools: [],
  attempts: 2,
  attemptMs: null,
  firstByteMs: null,
  totalMs: null,
  maxUsd: null,
  drop: neutralDrops,
  inspectBytes: limits.refusalBytes,
};

/** Decision reasons for which the requested model may take over: no rule or policy excluded it. */
const open: ReadonlySet<Decision['reason']> = new Set<Decision['reason']>(['tier', 'learned', 'models', 'experiment', 'default', 'budget']);

/** Whether a model chosen by Sluice may refuse a parameter that the requested model accepts, so that the latter may answer. */
function mayBeRefused(
  { envoy, generation }: RequestContext,
  exchange: ParsedRequest,
  { action, reason, chain, requested }: Decision,
  { refusals }: ChainServices,
): boolean {
  if (action !== 'route' || !open.has(reason) || !envoy.chains) return false;
  if (!asksMore(exchange) && !(exchange.stream && chain[0] !== undefined && needsVerified(generation, chain[0], refusals))) return false;
  return (
    chain.length < limits.fallbackAttempts &&
    !chain.some(({ provider, model }) => provider === requested.provider && model === requested.model)
  );
}

/** Whether OpenAI may refuse to stream this model to an organization that it has not verified; not known before the first stream. */
function needsVerified({ providers }: PolicySnapshot, { provider: name, model }: TargetRef, refusals: LearntRefusals | undefined): boolean {
  const provider = providers.get(name);
  if (provider?.catalogProvider !== 'openai' || !askedModel('openai', model).openai.reasoning) return false;
  return refusals?.mayStream(provider.catalogProvider, catalogModel(provider, model)) !== true;
}

/** The lowest limit on an answer that some model does not take, tokens. */
const leastMostTokens = 4_096;

/** Whether a request has more than words, so that a model may refuse it. */
function asksMore({ parameters, n, tools, jsonOutput, images, audioInputs, files, maxOutputTokens }: ParsedRequest): boolean {
  return (
    parameters.length > 0 ||
    n > 1 ||
    tools > 0 ||
    jsonOutput !== 'none' ||
    images + audioInputs + files > 0 ||
    (maxOutputTokens ?? 0) > leastMostTokens
  );
}

/** Whether a target's requests and answers must be translated. */
function crosses({ generation, provider }: RequestContext, { api }: ParsedRequest, target: TargetRef): boolean {
  const other = generation.providers.get(target.provider);
  return target.provider !== provider.name && (other === undefined || !takesAsIs(other, provider.family, api));
}
