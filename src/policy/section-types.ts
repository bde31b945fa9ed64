import type { LearningSettings } from '../router/online/settings.ts';
import type { Objective } from '../router/candidates/types.ts';
import type { LearnedSettings } from '../router/model/verdict.ts';
import type { Tier, TierThresholds, Verdict } from '../classify/types.ts';
import type { CacheSettings } from './options/cache.ts';
import type { Shape } from '../apis/shape/types.ts';
import type { MaskRule } from '../apis/mask/tokens.ts';
import type { SensitivePattern } from '../apis/inspect/patterns.ts';
import type { DialectFamily, ParsedRequest } from '../apis/types.ts';
import type { Teaching } from '../classify/text/teaching.ts';

export type Mode = 'enabled' | 'shadow' | 'off';

/** A provider in the policy: an Envoy cluster with a dialect. */
export interface Provider {
  readonly name: string;
  readonly family: DialectFamily;
  /** scheme://host[:port][/base] of the real endpoint. */
  readonly endpoint: string;
  /**
   * Path prefix on the gateway that selects this provider, e.g. `/deepseek`; null if it has none. Removed before the provider sees the
   * path.
   */
  readonly pathPrefix: string | null;
  /** Host names that select this provider when traffic keeps its original authority. */
  readonly hosts: readonly string[];
  /** Name under which the catalog lists its models. */
  readonly catalogProvider: string;
  /** Azure: deployment name → model name in the catalog. */
  readonly deployments: ReadonlyMap<string, string>;
  /** Whether it has OpenAI's Responses API. */
  readonly responses: boolean;
  /** The gateway's own key for this provider, read from a file; required to send it another provider's traffic. */
  readonly credential: { readonly file: string; readonly more?: readonly string[]; readonly type: 'key' | 'bearer' } | null;
  /** How Envoy signs requests to it instead of a key; null if it does not. */
  readonly signing: AwsSigning | null;
}

/** AWS Signature Version 4, applied by Envoy. */
export interface AwsSigning {
  readonly service: string;
  readonly region: string;
  /** Credentials file on Envoy's machine; null if Envoy looks where the AWS SDKs do. */
  readonly file: string | null;
  readonly profile: string | null;
}

export interface TargetRef {
  readonly provider: string;
  readonly model: string;
}

/** Results of an attempt that may trigger the next target of its chain. Closed list: a metric label. */
export const fallbackTriggers = [
  'connect',
  'reset',
  'timeout',
  'server-error',
  'rate-limit',
  'overloaded',
  'model-gone',
  'key-dead',
  'context-window',
  'content-filter',
  'refusal',
  'empty',
  'length',
  'invalid-json',
  'bad-tool-call',
  'stream-error',
] as const;
/**
 * `unsupported-parameter` is not available in policies: a model that Sluice chose refused a parameter, so the model that the app requested
 * must answer.
 */
export type FallbackTrigger = (typeof fallbackTriggers)[number] | 'unsupported-parameter';

export const poolPicks = ['weighted', 'round-robin', 'least-latency', 'sticky'] as const;
export type PoolPick = (typeof poolPicks)[number];

/** Equivalent targets: wherever one is chosen any of them may be used, and the others come next. */
export interface TargetPool {
  readonly name: string;
  readonly pick: PoolPick;
  readonly targets: readonly { readonly target: TargetRef; readonly weight: number }[];
}

/** How a section handles a failing target. */
export interface FallbackPolicy {
  readonly triggers: ReadonlySet<FallbackTrigger>;
  /** Whether the chosen model is followed by the other candidates of its tier by cost, then those of the higher tiers. */
  readonly escalate: boolean;
  /** Targets after the chosen one, by its tier; they come before the escalation. */
  readonly tierChains: Readonly<Record<Tier, readonly TargetRef[]>>;
  /** Targets after the chosen one, by the requested model; they replace everything else. */
  readonly modelChains: ReadonlyMap<string, readonly TargetRef[]>;
  readonly pools: readonly TargetPool[];
  /** Total attempts, including the first. */
  readonly attempts: number;
  /** Timeout of one attempt in ms: to its end, or for streams to its first byte; null for no limit. */
  readonly attemptMs: number | null;
  readonly firstByteMs: number | null;
  /** Timeout of all attempts together, in ms; null for no limit. */
  readonly totalMs: number | null;
  /** Estimated US dollars of all attempts together; null for no limit. */
  readonly maxUsd: number | null;
  /** Parameters that may be dropped if a target's API does not have them. */
  readonly drop: readonly string[];
  /** Answers up to this many bytes are inspected. */
  readonly inspectBytes: number;
}

/** How conversations are kept together. */
export interface SessionsPolicy {
  readonly idleMs: number;
  /** Lower case. */
  readonly headers: readonly string[];
}

/** A model that grades answers. */
export interface JudgePolicy {
  readonly target: TargetRef;
  /** 0..1. */
  readonly share: number;
  readonly maxUsdPerDay: number;
  readonly timeoutMs: number;
}

/** Which answers of cheaper models are compared with the requested model's. */
export interface VerifyPolicy {
  /** 0..1. */
  readonly share: number;
  readonly maxUsdPerDay: number;
}

/** How answers are graded automatically. */
export interface GradingPolicy {
  /** Whether answers are inspected, not only how they ended. */
  readonly checks: boolean;
  readonly regenerate: boolean;
  readonly judge: JudgePolicy | null;
}

/** The action of a matching override or rule. `fallback`: the chain after its target, instead of the section's. */
export type Directive =
  | { readonly kind: 'tier'; readonly tier: Tier; readonly fallback?: readonly TargetRef[] }
  | { readonly kind: 'model'; readonly target: TargetRef; readonly fallback?: readonly TargetRef[] }
  /** The most capable model: the last tier's candidates, best first as listed. */
  | { readonly kind: 'best'; readonly fallback?: readonly TargetRef[] }
  /** The app's own model, unchanged. */
  | { readonly kind: 'keep' }
  /** Only its shape: later steps choose the target. */
  | { readonly kind: 'shape' }
  | { readonly kind: 'block'; readonly message: string };

/** What a caller may state about a request by headers. Closed list: a metric label. */
export const callerClaims = ['route', 'quality', 'task', 'session', 'cache', 'user', 'user-tier', 'workspace'] as const;
export type CallerClaim = (typeof callerClaims)[number];

/** Whose claim is believed. `gateway`: everybody's, since something before Sluice sets it and removes what apps send. */
export type Belief = 'all' | 'trusted' | 'gateway' | 'nobody';

export type TextTest = (text: string) => boolean;

/** How callers are recognised. All conditions that are not null (or empty) must hold. */
export interface CallerSigns {
  readonly principal: TextTest | null;
  readonly namespace: TextTest | null;
  readonly headers: readonly { readonly name: string; readonly values: ReadonlySet<string> }[];
  readonly claims: readonly { readonly path: string; readonly values: ReadonlySet<string> }[];
}

/** Sets who a caller is, whatever it states: texts with placeholders; null if the caller's own statement counts. */
export interface IdentityRule extends CallerSigns {
  readonly name: string;
  readonly workspaceIs: string | null;
  readonly userIs: string | null;
  readonly userTierIs: string | null;
}

/** Whose claims are trusted. */
export interface TrustRule extends CallerSigns {
  readonly name: string;
  /** Checked only for a workspace that somebody vouches for. */
  readonly workspace: TextTest | null;
}

export interface CallersPolicy {
  readonly believe: Readonly<Record<CallerClaim, Belief>>;
  readonly identify: readonly IdentityRule[];
  readonly trust: readonly TrustRule[];
}

/** A claim that is ignored: its header came twice, or its caller is not believed. */
export interface IgnoredClaim {
  readonly claim: CallerClaim;
  readonly why: 'doubled' | 'untrusted';
}

/** Which claims of a caller are believed. */
export interface CallerTrust {
  /** The rules that identify and trust it; null if none does. */
  readonly identity: string | null;
  readonly rule: string | null;
  /** Whether somebody other than the caller determines its workspace. */
  readonly workspaceVouched: boolean;
  /** Complete once the request's headers have been read. */
  readonly ignored: readonly IgnoredClaim[];
  /** Whether the caller's body is believed for this claim. */
  believesBody(claim: CallerClaim): boolean;
}

/** Facts about the caller, from headers and the clock; part of every rule's view. */
export interface CallerContext {
  readonly workspace: string;
  /** If absent, nothing was checked and the caller is believed. */
  readonly trust?: CallerTrust;
  /** x-sluice-user-tier, lower case; null if absent. */
  readonly userTier: string | null;
  /** x-sluice-quality, lower case; null if absent. */
  readonly quality: string | null;
  /** x-sluice-task. */
  readonly task: string | null;
  /** x-sluice-session. */
  readonly session: string | null;
  /** Hash of the user named by a header (src/budgets/user.ts); null if none is named. */
  readonly user: string | null;
  /** Request headers that the policy lists as readable by rules; lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The app's own request ID, and its trace, only for the record. */
  readonly requestId?: string | null;
  readonly traceId?: string | null;
}

/** The input of overrides and rules. */
export interface RuleInput {
  readonly exchange: ParsedRequest;
  readonly verdict: Verdict;
  readonly caller: CallerContext;
  readonly provider: string;
  /** Other names of the requested model: the model of an Azure deployment, and the catalog's name. Absent if none is known. */
  readonly knownAs?: readonly string[];
}

export interface CompiledRule {
  readonly name: string;
  /** Its kind in the record. */
  readonly kind: 'override' | 'rule';
  /** Whether its condition reads what any caller may state (quality, task, session). */
  readonly hinted: boolean;
  /** Whether it reads the verdict's task, which a caller may have stated. */
  readonly readsTask: boolean;
  /** For people: the condition as the policy wrote it. */
  readonly source: string;
  /** Never throws: an evaluation error counts as no match and is reported through `onError` of the compiler. */
  matches(input: RuleInput): boolean;
  readonly then: Directive;
  /** Caps request parameters; null if it caps none. */
  readonly shape: Shape | null;
}

/** Replaces what a pattern finds by tokens. `message`: the answer if that is not possible. */
interface MaskDirective {
  readonly kind: 'mask';
  readonly message: string;
}

export interface SensitivityRule {
  readonly name: string;
  /** The pattern to search for in all texts of the body. */
  readonly pattern: SensitivePattern;
  readonly then: (Directive & { readonly kind: 'model' | 'block' }) | MaskDirective;
}

/** Routing by predicted gain. */
export interface LearnedPolicy extends LearnedSettings {
  readonly weak: TargetRef;
  /** Requested models that the weak one may replace. */
  readonly strong: ReadonlySet<string>;
}

/** Several models that are compared by expected quality and cost. */
export interface ModelsPolicy {
  /** Null for the candidates of the request's tier. */
  readonly list: readonly TargetRef[] | null;
  /** Requested models that they may replace. */
  readonly for: ReadonlySet<string>;
  readonly objective: Objective;
}

/** How a section classifies prompts. */
export interface SectionClassifier {
  readonly thresholds: TierThresholds;
  /** Null if the policy teaches nothing. */
  readonly taught: Teaching | null;
  /** How long a request waits for its vector, in ms; null if no sentence model is asked. */
  readonly embeddingWaitMs: number | null;
}

/** The policy for one workspace and provider, defaults filled in. */
export interface PolicySection {
  /** Name in the policy, for the record. */
  readonly name: string;
  readonly mode: Mode;
  readonly failClosed: boolean;
  /** Tiers that are routed; requests of other tiers keep their model. */
  readonly routedTiers: ReadonlySet<Tier>;
  /** The decision table, and what the policy teaches the classifier. */
  readonly classifier: SectionClassifier;
  /** Candidates by tier, in the order the policy lists them. */
  readonly candidates: Readonly<Record<Tier, readonly TargetRef[]>>;
  /** Caps on request parameters, by the tier that answers; null if no tier has any. */
  readonly shapes: Readonly<Record<Tier, Shape | null>> | null;
  readonly overrides: readonly CompiledRule[];
  readonly rules: readonly CompiledRule[];
  /** Null if prompts are routed only by rules and tiers. */
  readonly learned: LearnedPolicy | null;
  /** Null if candidates are compared only by price. */
  readonly models: ModelsPolicy | null;
  /** Null if nothing is learnt from grades. */
  readonly learning: LearningSettings | null;
  /** Null if no answers are compared. */
  readonly verify: VerifyPolicy | null;
  readonly sensitivity: readonly SensitivityRule[];
  /** How each of these rules masks, or null if it does not; null as a whole if none does. */
  readonly masks: readonly (MaskRule | null)[] | null;
  /** Whose key is sent to the app's own provider. */
  readonly credentials: 'app' | 'gateway';
  /** Files with this section's own keys, by provider. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** Whether WebSockets, which are not inspected, may pass. */
  readonly websockets: 'allow' | 'refuse';
  /** Models that are never replaced when an app requests them. */
  readonly pinned: ReadonlySet<string>;
  /** Other providers this section may send to; empty if none. */
  readonly allowProviders: ReadonlySet<string>;
  /** Whether the decision table may choose a costlier model than the requested one. */
  readonly upgrades: 'never' | 'allow';
  /** What to do with a requested model that the catalog does not know. */
  readonly unknownModel: 'keep' | 'route';
  /** Used if no candidate of any tier qualifies; null for the requested model. */
  readonly defaultTarget: TargetRef | null;
  /** The baseline for savings; null for the requested model. */
  readonly baseline: TargetRef | null;
  /** `ask`: add stream_options.include_usage to OpenAI-shaped streams that do not set it; `leave`: never change it. */
  readonly streamUsage: 'ask' | 'enforce' | 'leave';
  /** What answers tell their app; null for nothing. */
  readonly inAnswer: InAnswer | null;
  readonly cache: CacheSettings;
  /** Null for a single attempt, whatever its result. */
  readonly fallback: FallbackPolicy | null;
  /** Null if requests are not grouped into conversations. */
  readonly sessions: SessionsPolicy | null;
  /** Null if answers are graded only by how they ended. */
  readonly grading: GradingPolicy | null;
  /** How prompts appear in the record. */
  readonly promptCapture: { readonly kind: 'hash' } | { readonly kind: 'truncate'; readonly units: number } | { readonly kind: 'none' };
}

/** What answers tell their app, besides response headers. */
export interface InAnswer {
  readonly decision: boolean;
  readonly cost: boolean;
}
