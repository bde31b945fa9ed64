import type { Shape, ShapePlan } from '../apis/shape/types.ts';
import type { Cost } from '../catalog/types.ts';
import type { ModelsVerdict } from '../router/candidates/types.ts';
import type { LearnedVerdict } from '../router/model/verdict.ts';
import type { ExpectedOutput, OutputKey } from '../router/output/tokens.ts';
import type { LearningMark } from '../router/online/types.ts';
import type { Tier, Verdict } from '../classify/types.ts';
import type { DialectFamily, Exchange } from '../apis/types.ts';
import type { SessionFacts, SessionView } from '../sessions/types.ts';
import type { PoolChoice, Pools } from './pools.ts';
import type { CallerContext, PolicyGeneration, PolicySection, Provider, TargetRef } from '../policy/types.ts';

/** Why the request went where it went. Closed list: a metric label and a response header. */
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

export interface CandidateReport {
  readonly target: TargetRef;
  readonly tier: Tier;
  readonly estimate: Cost;
  /** Output tokens that the estimate assumes, where they were learnt for this target; absent: those of the task. */
  readonly outputTokens?: number;
  /** Null when it qualifies. */
  readonly disqualified: Disqualification | null;
  /** The parameter that it refuses; set exactly with `parameter`. */
  readonly refused?: string;
  readonly chosen: boolean;
}

/** An experiment's treatment of one request. `target` null: the requested model. */
export interface Forced {
  readonly experiment: string;
  readonly target: TargetRef | null;
}

export interface DecideInput {
  readonly exchange: Exchange;
  readonly verdict: Verdict;
  /** What an experiment asks for; absent or null: nothing. */
  readonly forced?: Forced | null;
  /** The request's conversation; absent or null: it has none, or the policy keeps none together. */
  readonly session?: SessionView | null;
  /** Output tokens of one answer of a target, as learnt; null: nothing is known of it. Absent: nothing is learnt, and all targets are assumed to take the same. */
  readonly outputTokens?: (target: TargetRef, assumed: number) => ExpectedOutput | null;
  /** What the length of the answer hangs on; absent where it is not learnt. */
  readonly outputKey?: OutputKey;
  /** What the learned router said; absent where the section does not ask it. */
  readonly learned?: LearnedVerdict | null;
  /** What several models are compared by; absent where the section compares none, or not for this model. */
  readonly models?: ModelsVerdict | null;
  /** What was learnt from grades; absent where nothing is. */
  readonly learning?: LearningMark | null;
  /** For each sensitivity rule of the section: whether its pattern was found in the body. Absent: none was. */
  readonly sensitive?: readonly boolean[];
  /** The caller wants its own model (`x-sluice-route: off`): blocks, secure models and budgets hold all the same. Absent: false. */
  readonly keepModel?: boolean;
  readonly caller: CallerContext;
  readonly provider: Provider;
  readonly section: PolicySection;
  readonly generation: PolicyGeneration;
  /** Whether the gateway holds a key for a provider right now. Absent: whether the policy names a key file for it. */
  readonly hasCredential?: (provider: string) => boolean;
  /** Whether Envoy can send to a provider; one that a policy has just brought it cannot at once. Absent: to all. */
  readonly inEnvoy?: ((provider: string) => boolean) | undefined;
  /** Whether a target rests after failures. Absent: none does. */
  readonly cooling?: (target: TargetRef) => boolean;
  /** Picks among equal targets. Absent: the policy's order. */
  readonly pools?: Pick<Pools, 'order'>;
  /** Whether this request can be put to a target that speaks the API of another family. Absent: to none. */
  readonly canTranslate?: (target: TargetRef, family: DialectFamily) => boolean;
  /** What a model, by the catalog's provider, was seen to refuse. Absent: nothing. */
  readonly refusals?: (provider: string, model: string) => ReadonlySet<string> | null;
  /** Whether a model's own budget is used up. Absent: none is. */
  readonly overBudget?: (target: TargetRef, tier: Tier) => boolean;
  /** Whether a model's own rate limit is reached. Absent: none is. */
  readonly overLimit?: (target: TargetRef, tier: Tier) => boolean;
  /** What a budget wants that is nearly used up. */
  readonly cheaper?: BudgetStep;
}

/** What happens before a budget refuses. */
export interface BudgetStep {
  readonly budget: string;
  /** This tier's candidates, if that is cheaper and nothing forbids it; null: no other. */
  readonly tier: Tier | null;
  /** Caps what the request asks for; null: nothing. */
  readonly shape: Shape | null;
}

/** What the policy made of the request's own parameters. */
export interface ShapeFacts extends ShapePlan {
  /** Names of the rules, tiers and budgets that asked for it: `rule short`, `tier simple`, `budget team`. */
  readonly by: readonly string[];
  /** Output tokens that the answer was reckoned to take without it. */
  readonly unshapedOutputTokens: number;
}

/** What savings are counted against. */
export interface Baseline {
  readonly target: TargetRef;
  /** Output tokens that it typically takes for the template, for one answer; null: too few answers are known, the served answer's tokens stand in. */
  readonly typical: { readonly tokens: number; readonly spread: number; readonly reasoning: number } | null;
}

export interface Decision {
  readonly action: 'route' | 'keep' | 'block';
  readonly requested: TargetRef;
  /** What is sent; equals `requested` for keep, shadow and block. First of `chain`. */
  readonly served: TargetRef;
  /** Targets in the order in which they are tried. Empty for block. */
  readonly chain: readonly TargetRef[];
  readonly tier: Tier;
  readonly reason: DecisionReason;
  /** Who picked the target among equals; absent where it has none. */
  readonly pool?: PoolChoice;
  /** Name of the override, rule or sensitivity pattern that decided; null for the table. */
  readonly rule: string | null;
  /** The conversation; absent where there is none. */
  readonly session?: SessionFacts;
  /** What the learned router said, also where it did not decide; absent where it was not asked. */
  readonly learned?: LearnedVerdict;
  /** What several models were compared by; absent where none were. */
  readonly models?: ModelsVerdict;
  /** What was learnt from grades; absent where nothing is. Grades of the answer come back with it. */
  readonly learning?: LearningMark;
  readonly candidates: readonly CandidateReport[];
  /** In shadow mode: what would have been served; else null. */
  readonly wouldServe: TargetRef | null;
  /** In shadow mode: the reason that an enabled section would have given (`blocked`: it would have refused the request). */
  readonly shadowReason?: DecisionReason;
  readonly block: { readonly status: number; readonly message: string; readonly retryAfterSeconds?: number } | null;
  /** What was capped, and what was left alone; absent: the policy caps nothing here. In shadow mode nothing is changed. */
  readonly shape?: ShapeFacts;
  /** Output tokens that the estimate of the served target assumes. */
  readonly assumedOutputTokens: number;
  /** Those that the estimate of the requested model assumes; absent: the same. */
  readonly baselineOutputTokens?: number;
  /** What savings are counted against, where that is more than the requested model with the tokens of the answer; absent: that. */
  readonly baseline?: Baseline;
  readonly estimate: Cost;
  readonly baselineEstimate: Cost;
}
