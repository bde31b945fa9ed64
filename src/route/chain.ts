import { tiers, type Tier } from '../classify/types.ts';
import type { FallbackPolicy, TargetRef } from '../policy/types.ts';
import type { Candidates, MutableReport } from './candidates.ts';
import type { Choice } from './choice.ts';
import { PoolView, type Pooled } from './pool-view.ts';
import { same } from './prices.ts';
import type { CandidateReport, Decision } from './types.ts';

/** Input for building a chain. */
interface ChainInput {
  readonly fallback: FallbackPolicy;
  readonly first: TargetRef;
  /** The other members of the first target's pool, in the order they are tried; they come before all other targets. */
  readonly mates: readonly TargetRef[];
  /** Returns a target and the other members of its pool, in the pool's order. */
  readonly expand: (target: TargetRef) => readonly TargetRef[];
  readonly firstEstimate: CandidateReport['estimate'];
  readonly requestedModel: string;
  readonly reason: Decision['reason'];
  readonly tier: Tier;
  /** The chain from the matching rule; null if it has none. */
  readonly ruleChain: readonly TargetRef[] | null;
  readonly candidates: Readonly<Record<Tier, readonly TargetRef[]>>;
  /** Checks one target; the report says why it cannot take the request. */
  readonly report: (target: TargetRef) => CandidateReport;
}

/** Reasons that imply a tier, so its chain and escalation apply. */
const tieredReasons: ReadonlySet<Decision['reason']> = new Set(['tier', 'models', 'kept-cheapest', 'override', 'rule', 'default']);

/** The chosen target and its fallbacks, in the order they are tried; targets that are cooling down come last. */
export function chainOf(candidates: Candidates, choice: Choice): readonly TargetRef[] {
  const { section, exchange } = candidates.input;
  const { fallback } = section;
  // Sensitive data may only be sent to its secure model.
  if (fallback === null || exchange.operation !== 'generate' || choice.reason === 'sensitivity' || choice.reason === 'route-off')
    return [choice.target];
  return withFallbacks(candidates, choice, fallback);
}

function withFallbacks(candidates: Candidates, choice: Choice, fallback: FallbackPolicy): readonly TargetRef[] {
  const { section, exchange } = candidates.input;
  const reports = new Map<string, MutableReport>();
  const report = (target: TargetRef): MutableReport => {
    const key = `${target.provider}/${target.model}`;
    let known = reports.get(key);
    if (known === undefined) reports.set(key, (known = candidates.check(target, choice.tier, 'checked')));
    return known;
  };
  const pools = poolsOf(candidates, fallback, (target) => same(target, choice.target) || report(target).disqualified === null);
  const pooled = tieredReasons.has(choice.reason) ? pools.of(choice.target) : null;
  const first = pooled === null ? choice.target : picked(candidates, pooled, choice);
  const after = chainAfter({
    fallback,
    first,
    mates: pooled?.order.slice(1) ?? [],
    expand: (target) => pools.of(target)?.order ?? [target],
    firstEstimate: candidates.estimate(first),
    requestedModel: exchange.model,
    reason: choice.reason,
    tier: choice.tier,
    ruleChain: choice.fallback ?? null,
    candidates: section.candidates,
    report,
  });
  for (const report of reports.values())
    if (!candidates.reports.some(({ target }) => same(target, report.target))) candidates.reports.push(report);
  const chain = [first, ...after.map((target) => (candidates.own(target) ? candidates.requested : target))];
  return restingLast(candidates, chain, reports);
}

/** Targets that are cooling down come last: if all others fail, trying them is better than giving up. */
function restingLast(
  candidates: Candidates,
  chain: readonly TargetRef[],
  reports: ReadonlyMap<string, MutableReport>,
): readonly TargetRef[] {
  const awake = chain.filter((target) => candidates.input.cooling?.(target) !== true);
  if (awake.length === 0 || awake.length === chain.length) return chain;
  const resting = chain.filter((target) => !awake.includes(target));
  for (const { provider, model } of resting) {
    const report = reports.get(`${provider}/${model}`) ?? candidates.reports.find(({ chosen }) => chosen);
    if (report !== undefined) report.disqualified = 'cooling-down';
  }
  return [...awake, ...resting];
}

function poolsOf({ input }: Candidates, fallback: FallbackPolicy, able: (target: TargetRef) => boolean): PoolView {
  const { exchange, caller, pools, session } = input;
  return new PoolView({
    pools: fallback.pools,
    picker: pools,
    stream: exchange.stream,
    sticky: session?.key ?? caller.session ?? caller.workspace,
    usable: (target) => able(target) && input.cooling?.(target) !== true,
  });
}

/** The pool's pick instead of the chosen target. */
function picked(candidates: Candidates, pooled: Pooled, choice: Choice): TargetRef {
  const [pick = choice.target] = pooled.order;
  const target = same(pick, choice.target) ? choice.target : candidates.own(pick) ? candidates.requested : pick;
  candidates.pool = pooled.choice;
  candidates.picked = target;
  return target;
}

/** The targets after the first, in the order they are tried. Each can do the job, and together they are affordable. */
function chainAfter(input: ChainInput): TargetRef[] {
  const { fallback } = input;
  const chain: TargetRef[] = [];
  let spent = input.firstEstimate.known ? input.firstEstimate.usd : 0;
  for (const target of inPools(input)) {
    if (chain.length + 1 >= fallback.attempts) break;
    if (same(target, input.first) || chain.some((other) => same(other, target))) continue;
    const { disqualified, estimate } = input.report(target);
    if (disqualified !== null) continue;
    if (fallback.maxUsd !== null && (!estimate.known || spent + estimate.usd > fallback.maxUsd)) continue;
    spent += estimate.known ? estimate.usd : 0;
    chain.push(target);
  }
  return chain;
}

function* inPools(input: ChainInput): Iterable<TargetRef> {
  yield* input.mates;
  for (const target of wanted(input)) yield* input.expand(target);
}

function* wanted(input: ChainInput): Iterable<TargetRef> {
  const { fallback, ruleChain } = input;
  const own = ruleChain ?? fallback.modelChains.get(input.requestedModel);
  if (own !== undefined) {
    yield* own;
    return;
  }
  if (!tieredReasons.has(input.reason)) return;
  yield* fallback.tierChains[input.tier];
  if (!fallback.escalate) return;
  for (const tier of tiers.slice(tiers.indexOf(input.tier))) yield* byCost(input, input.candidates[tier]);
}

function byCost(input: ChainInput, targets: readonly TargetRef[]): TargetRef[] {
  const cost = (target: TargetRef): number => {
    const { estimate } = input.report(target);
    return estimate.known ? estimate.usd : Infinity;
  };
  return targets
    .map((target) => ({ target, usd: cost(target) }))
    .sort((a, b) => a.usd - b.usd)
    .map(({ target }) => target);
}
