import type { Shape, ShapePlan } from '../apis/shape/types.ts';
import type { Cost } from '../catalog/types.ts';
import type { ModelsVerdict } from '../router/candidates/types.ts';
import type { RouterVerdict } from '../router/model/verdict.ts';
import type { ExpectedOutput, OutputKey } from '../router/output/tokens.ts';
import type { LearningMark } from '../router/online/types.ts';
import type { Tier, Verdict } from '../classify/types.ts';
import type { DialectFamily, ParsedRequest } from '../apis/types.ts';
import type { SessionFacts, SessionView } from '../sessions/types.ts';
import type { PoolChoice, Pools } from './pools.ts';
import type { CallerContext, PolicySnapshot, PolicySection, Provider, TargetRef } from '../policy/types.ts';

/** Why the request was routed as it was. Closed list: a metric label and a response header. */
export type DecisionReason =
  | 'tier'
  | 'override'
  | 'rule'
  | 'sensitivity'
  | 'pinned'
  | 'kept-tier-not-routed'
  | 'kept-cheapest'
  | 'kept-no-candidate'
  | 'kept-unknown-model'
  | 'kept-operation'
  | 'kept-by-rule'
  | 'learned'
  | 'models'
  | 'kept-models'
  | 'kept-learned'
  | 'experiment'
  | 'kept-session'
  | 'kept-upgraded'
  | 'default'
  | 'cooling-down'
  | 'budget'
  | 'over-budget'
  | 'over-limit'
  | 'route-off'
  | 'shadow'
  | 'blocked';

/** Why a candidate was not taken. Closed list. */
export type Disqualification =
  | 'unknown-model'
  | 'context-window'
  | 'max-output'
  | 'vision'
  | 'tools'
  | 'json-object'
  | 'json-schema'
  | 'audio-input'
  | 'audio-output'
  | 'files'
  | 'reasoning'
  | 'parameter'
  | 'mode'
  | 'provider-not-allowed'
  | 'dialect'
  | 'no-credential'
  | 'not-in-envoy'
  | 'not-translatable'
  | 'cooling-down'
  | 'over-budget'
  | 'over-limit'
  | 'costlier-than-requested'
  | 'unknown-price';

/** A part of a request that a target's API has no place for; `path` is that of the app's API, empty for the whole request. */
export interface Obstacle {
  readonly path: string;
  readonly why: string;
}

export interface CandidateReport {
  readonly target: TargetRef;
  readonly tier: Tier;
  readonly estimate: Cost;
  /** Output tokens that the estimate assumes, if learnt for this target; if absent, the task's default. */
  readonly outputTokens?: number;
  /** Null if it qualifies. */
  readonly disqualified: Disqualification | null;
  /** The parameter that it refuses; set only with `parameter`. */
  readonly refused?: string;
  /** What its API has no place for; set only with `not-translatable`. */
  readonly obstacles?: readonly Obstacle[];
  readonly chosen: boolean;
}

/** An experiment's treatment of one request. `target` is null for the requested model. */
export interface Forced {
  readonly experiment: string;
  readonly target: TargetRef | null;
}

export interface DecideInput {
  readonly exchange: ParsedRequest;
  readonly verdict: Verdict;
  /** The experiment's treatment; absent or null if none. */
  readonly forced?: Forced | null;
  /** The request's conversation; absent or null if it has none or the policy does not keep conversations together. */
  readonly session?: SessionView | null;
  /**
   * Learnt output tokens of one answer of a target; null if unknown. If absent, nothing is learnt and all targets are assumed to take the
   * same.
   */
  readonly outputTokens?: (target: TargetRef, assumed: number) => ExpectedOutput | null;
  /** What the answer's length depends on; absent if it is not learnt. */
  readonly outputKey?: OutputKey | undefined;
  /** The learned router's verdict; absent if the section does not ask it. */
  readonly learned?: RouterVerdict | null;
  /** The basis for comparing several models; absent if the section compares none, or not for this model. */
  readonly models?: ModelsVerdict | null;
  /** What was learnt from grades; absent if nothing was. */
  readonly learning?: LearningMark | null;
  /** For each sensitivity rule of the section: whether its pattern was found in the body. If absent, none was. */
  readonly sensitive?: readonly boolean[] | undefined;
  /** The caller wants its own model (`x-sluice-route: off`); blocks, secure models and budgets still apply. If absent, false. */
  readonly keepModel?: boolean;
  readonly caller: CallerContext;
  readonly provider: Provider;
  readonly section: PolicySection;
  readonly generation: PolicySnapshot;
  /** Whether the gateway currently holds a key for a provider. If absent: whether the policy names a key file for it. */
  readonly hasCredential?: (provider: string) => boolean;
  /** Whether Envoy has a route to a provider; for a provider that a policy just added, not immediately. If absent, all can be reached. */
  readonly inEnvoy?: ((provider: string) => boolean) | undefined;
  /** Whether a target is cooling down after failures. If absent, none is. */
  readonly cooling?: (target: TargetRef) => boolean;
  /** Picks among equal targets. If absent, the policy's order applies. */
  readonly pools?: Pick<Pools, 'order'>;
  /** Whether this request can be translated for a target with the API of another family. If absent, it cannot. */
  readonly canTranslate?: (target: TargetRef, family: DialectFamily) => boolean;
  /** What stands in the way of that, for the record. If absent, it is not said. */
  readonly obstacles?: (target: TargetRef, family: DialectFamily) => readonly Obstacle[];
  /** The parameters that a model, by the catalog's provider, was seen to refuse. If absent, none. */
  readonly refusals?: (provider: string, model: string) => ReadonlySet<string> | null;
  /** Whether a model's own budget is used up. If absent, none is. */
  readonly overBudget?: ((target: TargetRef, tier: Tier) => boolean) | undefined;
  /** Whether a model's own rate limit is reached. If absent, none is. */
  readonly overLimit?: ((target: TargetRef, tier: Tier) => boolean) | undefined;
  /** What a budget asks for when it is nearly used up. */
  readonly cheaper?: BudgetStep;
}

/** What a budget does before it refuses requests. */
export interface BudgetStep {
  readonly budget: string;
  /** Use this tier's candidates if that is cheaper and nothing forbids it; null: no other tier. */
  readonly tier: Tier | null;
  /** Caps request parameters; null if it caps none. */
  readonly shape: Shape | null;
}

/** How the policy changed the request's own parameters. */
export interface ShapeFacts extends ShapePlan {
  /** The rules, tiers and budgets that asked for it: `rule short`, `tier simple`, `budget team`. */
  readonly by: readonly string[];
  /** Estimated output tokens of the answer without the shape. */
  readonly unshapedOutputTokens: number;
}

/** What savings are calculated against. */
export interface Baseline {
  readonly target: TargetRef;
  /**
   * Output tokens that it typically takes for one answer to the template; null if too few answers are known, then the served answer's
   * tokens are used.
   */
  readonly typical: { readonly tokens: number; readonly spread: number; readonly reasoning: number } | null;
}

export interface Decision {
  readonly action: 'route' | 'keep' | 'block';
  readonly requested: TargetRef;
  /** What is sent; equals `requested` for keep, shadow and block. First of `chain`. */
  readonly served: TargetRef;
  /** Targets in the order they are tried. Empty for block. */
  readonly chain: readonly TargetRef[];
  readonly tier: Tier;
  readonly reason: DecisionReason;
  /** The pool that picked the target among equals; absent if there is none. */
  readonly pool?: PoolChoice;
  /** Name of the override, rule or sensitivity pattern that decided; null for the table. */
  readonly rule: string | null;
  /** The conversation; absent if there is none. */
  readonly session?: SessionFacts;
  /** The learned router's verdict, even if it did not decide; absent if it was not asked. */
  readonly learned?: RouterVerdict;
  /** The basis on which several models were compared; absent if none were. */
  readonly models?: ModelsVerdict;
  /** What was learnt from grades; absent if nothing was. Grades of the answer are reported back with it. */
  readonly learning?: LearningMark;
  readonly candidates: readonly CandidateReport[];
  /** In shadow mode: what would have been served; else null. */
  readonly wouldServe: TargetRef | null;
  /** In shadow mode: the reason that an enabled section would have given (`blocked`: it would have refused the request). */
  readonly shadowReason?: DecisionReason;
  readonly block: { readonly status: number; readonly message: string; readonly retryAfterSeconds?: number } | null;
  /** What was capped and what was left unchanged; absent if the policy caps nothing here. In shadow mode nothing is changed. */
  readonly shape?: ShapeFacts;
  /** Output tokens that the estimate of the served target assumes. */
  readonly assumedOutputTokens: number;
  /** Output tokens that the estimate of the requested model assumes; if absent, the same. */
  readonly baselineOutputTokens?: number;
  /** What savings are calculated against; if absent, the requested model with the tokens of the answer. */
  readonly baseline?: Baseline;
  readonly estimate: Cost;
  readonly baselineEstimate: Cost;
}
