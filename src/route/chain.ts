import { tiers, type Tier } from '../classify/types.ts';
import type { FallbackPolicy, TargetRef } from '../policy/types.ts';
import type { CandidateReport, Decision } from './types.ts';

/** Input for building a chain. */
export interface ChainInput {
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
export const tieredReasons: ReadonlySet<Decision['reason']> = new Set(['tier', 'models', 'kept-cheapest', 'override', 'rule', 'default']);

/** The targets after the first, in the order they are tried. Each can do the job, and together they are affordable. */
export function chainAfter(input: ChainInput): TargetRef[] {
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

function same(a: TargetRef, b: TargetRef): boolean {
  return a.provider === b.provider && a.model === b.model;
}
