import type { CacheHit } from '../cache/cache.ts';
import { limits } from '../lib/limits.ts';
import { apis } from '../apis/registry.ts';
import { takesAsIs } from '../apis/translatable.ts';
import type { Restoring } from '../apis/mask/restore.ts';
import type { Exchange } from '../apis/types.ts';
import { attemptClusterKey, chainHeader, chainHosts, clusterName } from '../attach/names.ts';
import type { FilterRole, SluiceMetadata } from '../extproc/types.ts';
import type { FallbackPolicy, FallbackTrigger, TargetRef } from '../policy/types.ts';
import { requestedSchema } from '../apis/requested-schema.ts';
import type { Decision } from '../route/types.ts';
import { asksForUsage, limitNameAt } from './adapt.ts';
import { ChainRun, timeoutsOf, type ChainFacts, type ChainServices } from './chain-run.ts';
import type { RequestContext } from './request.ts';

/** What Envoy is told about one chain, beside the request's own changes. */
export interface ChainPlan {
  readonly run: ChainRun;
  readonly headers: readonly (readonly [string, string])[];
  readonly metadata: SluiceMetadata;
  /** The first target gets what the request filter makes of the request; else its attempt makes it. */
  readonly firstIsReady: boolean;
}

/** What Envoy's router has to watch for itself: attempts that get no answer at all. Answers are judged by the attempt's filter. */
const silentEnds: readonly (readonly [FallbackTrigger, string])[] = [
  ['connect', 'connect-failure,refused-stream'],
  ['reset', 'reset'],
  // Envoy counts an attempt that was too late among the resets.
  ['timeout', 'reset'],
];

/** The plan of a decision with more than one target, with an old answer (`old`) to end in, or with one that speaks another API; null: one attempt in the app's own API is all there is. */
export function planChain(
  context: RequestContext,
  exchange: Exchange,
  body: Buffer,
  decision: Decision,
  services: ChainServices,
  old: CacheHit | null,
): ChainPlan | null {
  const { section, generation, provider } = context;
  const [first] = decision.chain;
  // Who gave the old answer must still be there, to stand for the attempt in Envoy's eyes; and it takes an Envoy that knows chains of groups.
  const rescue = old !== null && context.chainStyle === 'groups' && generation.providers.has(old.entry.provider) ? old : null;
  const own = mayBeRefused(context, exchange, decision);
  const stripUsage = strips(context, exchange);
  const restoring = restoringOf(context, exchange);
  const across = first !== undefined && crosses(context, exchange, first);
  const fallback = section.fallback ?? (own || stripUsage || restoring !== null || across ? refusalsOnly : null);
  const tried = own ? [...decision.chain, decision.requested] : decision.chain;
  const targets = rescue === null ? tried : [...tried, { provider: rescue.entry.provider, model: rescue.entry.model }];
  if (fallback === null || first === undefined || (targets.length < 2 && !stripUsage && restoring === null && !across)) return null;
  const facts: ChainFacts = {
    generation,
    provider,
    requested: decision.requested,
    parameters: exchange.parameters.map(({ name }) => name),
    fallback,
    targets,
    spare: own,
    rescue,
    recognition: context.recognition,
    path: context.path,
    stream: exchange.stream,
    includeUsage: exchange.includeUsage === true,
    stripUsage,
    restoring,
    expects: {
      jsonOutput: exchange.jsonOutput,
      schema:
        exchange.jsonOutput === 'schema' && fallback.triggers.has('invalid-json') && body.length <= fallback.inspectBytes
          ? requestedSchema(exchange.api, body)
          : null,
    },
    trace: context.trace,
    scope: section,
    ownHeaders: context.ownHeaders.list,
  };
  const { perTryMs, totalMs } = timeoutsOf(fallback, targets.length, exchange);
  const run = new ChainRun(facts, services, perTryMs);
  const roles = rolesOf(context, fallback, exchange, tried);
  if (rescue !== null) roles.push('next');
  const [firstRole] = roles;
  const firstIsReady = firstRole === 'gate';
  if (firstIsReady) run.begin();
  return {
    run,
    headers: [
      [chainHeader, firstRole ?? ''],
      [
        'x-envoy-retry-on',
        [
          ...new Set([...silentEnds.filter(([trigger]) => fallback.triggers.has(trigger)).map(([, name]) => name), 'retriable-headers']),
        ].join(','),
      ],
      ['x-envoy-max-retries', String(targets.length - 1)],
      ...(perTryMs === null ? [] : [['x-envoy-upstream-rq-per-try-timeout-ms', String(perTryMs)] as const]),
      ...(totalMs === null ? [] : [['x-envoy-upstream-rq-timeout-ms', String(totalMs)] as const]),
    ],
    metadata:
      context.chainStyle === 'hosts'
        ? { hosts: chainHosts(targets) }
        : attemptClusters(targets.map((target, index) => clusterName(target.provider, roles[index]))),
    firstIsReady,
  };
}

/** One group an attempt, of which Envoy takes the next one with every retry; and the same for a matcher, which cannot look into lists. */
function attemptClusters(clusters: readonly string[]): SluiceMetadata {
  return {
    priority_groups: clusters.map((cluster_name, index) => ({ name: `attempt${index + 1}`, clusters: [{ cluster_name, weight: 1 }] })),
    ...Object.fromEntries(clusters.map((cluster, index) => [attemptClusterKey(index + 1), cluster])),
  };
}

/** Where chains are told as endpoints, all attempts run in one cluster and have one role: the one that does the most of those wanted. */
function rolesOf(context: RequestContext, fallback: FallbackPolicy, exchange: Exchange, targets: readonly TargetRef[]): FilterRole[] {
  const roles = targets.map((target, index) => roleFor(context, fallback, exchange, target, index));
  if (context.chainStyle === 'groups') return roles;
  const role = roles.includes('stream') ? 'stream' : 'next';
  return roles.map(() => role);
}

function roleFor(context: RequestContext, fallback: FallbackPolicy, exchange: Exchange, target: TargetRef, index: number): FilterRole {
  const across = crosses(context, exchange, target);
  // Also whole answers: an Envoy that holds and replaces several megabytes breaks down.
  if (restoringOf(context, exchange) !== null) return 'stream';
  if (exchange.stream && (across || fallback.triggers.has('stream-error') || strips(context, exchange))) return 'stream';
  // Later attempts start from the request as the app sent it: what one model wants renamed is not for the next.
  return index === 0 && !across && limitNameAt(context.generation, target, exchange) === null ? 'gate' : 'next';
}

/** Whether the chunk that the policy asked for has to be taken out again; it takes an Envoy that can have Sluice do that. */
function strips(context: RequestContext, exchange: Exchange): boolean {
  return context.chainStyle !== 'none' && asksForUsage(context, exchange);
}

/** What the answer gets back in place of tokens; null: nothing, or this Envoy cannot have Sluice do that. */
function restoringOf({ masked, chainStyle }: RequestContext, { api, operation, jsonOutput }: Exchange): Restoring | null {
  if (masked === null || masked.restored.size === 0 || operation !== 'generate' || chainStyle === 'none') return null;
  return { reading: apis[api].answer.deltas, originals: masked.restored, jsonOutput: jsonOutput !== 'none' };
}

/** For a section without fallback: nothing is tried again but what a model of Sluice's choice refused to take; a first target of another API is translated all the same. */
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
  drop: [],
  inspectBytes: limits.refusalBytes,
};

/** Reasons for which the model that the app asked for may take over: no rule and no policy said that it must not. */
const open: ReadonlySet<Decision['reason']> = new Set<Decision['reason']>(['tier', 'learned', 'models', 'experiment', 'default', 'budget']);

/** Whether a model of Sluice's choice may refuse a parameter that the requested one takes, and that one may answer then. */
function mayBeRefused({ chainStyle }: RequestContext, exchange: Exchange, { action, reason, chain, requested }: Decision): boolean {
  if (action !== 'route' || !open.has(reason) || exchange.parameters.length === 0 || chainStyle === 'none') return false;
  return (
    chain.length < limits.fallbackAttempts &&
    !chain.some(({ provider, model }) => provider === requested.provider && model === requested.model)
  );
}

/** Whether a target's requests and answers have to be translated. */
function crosses({ generation, provider }: RequestContext, { api }: Exchange, target: TargetRef): boolean {
  const other = generation.providers.get(target.provider);
  return target.provider !== provider.name && (other === undefined || !takesAsIs(other, provider.family, api));
}
