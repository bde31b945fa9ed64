import type { LearningSettings } from '../router/online/settings.ts';
import type { Objective } from '../router/candidates/types.ts';
import type { LearnedSettings } from '../router/model/verdict.ts';
import type { Tier, TierThresholds, Verdict } from '../classify/types.ts';
import type { CacheSettings } from './cache-types.ts';
import type { Shape } from '../apis/shape/types.ts';
import type { MaskRule } from '../apis/mask/tokens.ts';
import type { SensitivePattern } from '../apis/inspect/patterns.ts';
import type { DialectFamily, Exchange } from '../apis/types.ts';
import type { TaughtExamples } from '../classify/index.ts';

export type Mode = 'enabled' | 'shadow' | 'off';

/** A provider as the policy names it: an Envoy cluster with a dialect. */
export interface Provider {
  readonly name: string;
  readonly family: DialectFamily;
  /** scheme://host[:port][/base] of the real endpoint. */
  readonly endpoint: string;
  /** Path prefix on the gateway that means this provider, e.g. `/deepseek`; null when it has none. Taken off before the provider sees it. */
  readonly pathPrefix: string | null;
  /** Host names that mean this provider when traffic comes with its own authority. */
  readonly hosts: readonly string[];
  /** Name under which the catalog lists its models. */
  readonly catalogProvider: string;
  /** Azure: deployment name → model name in the catalog. */
  readonly deployments: ReadonlyMap<string, string>;
  /** Has OpenAI's Responses API. */
  readonly responses: boolean;
  /** The gateway's own key for this provider, read from a file; needed to be reached from another provider's traffic. */
  readonly credential: { readonly file: string; readonly more?: readonly string[]; readonly type: 'key' | 'bearer' } | null;
  /** Envoy signs requests to it instead of a key; null: it does not. */
  readonly signing: AwsSigning | null;
}

/** AWS Signature Version 4, done by Envoy. */
export interface AwsSigning {
  readonly service: string;
  readonly region: string;
  /** Credentials file on Envoy's machine; null: Envoy looks where the AWS SDKs do. */
  readonly file: string | null;
  readonly profile: string | null;
}

export interface TargetRef {
  readonly provider: string;
  readonly model: string;
}

/** Why an attempt's end may be answered by the next target of its chain. Closed list: a metric label. */
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
/** `unsupported-parameter`, not for policies to name: a model that Sluice chose refused a parameter, and the one that the app asked for is to answer. */
export type FallbackTrigger = (typeof fallbackTriggers)[number] | 'unsupported-parameter';

export const poolPicks = ['weighted', 'round-robin', 'least-latency', 'sticky'] as const;
export type PoolPick = (typeof poolPicks)[number];

/** Targets that are as good as each other: wherever one is meant any of them may be taken, and the others come next. */
export interface TargetPool {
  readonly name: string;
  readonly pick: PoolPick;
  readonly targets: readonly { readonly target: TargetRef; readonly weight: number }[];
}

/** What a section does when a target fails. */
export interface FallbackPolicy {
  readonly triggers: ReadonlySet<FallbackTrigger>;
  /** After the chosen model: the other candidates of its tier by cost, then those of the higher tiers. */
  readonly escalate: boolean;
  /** Targets after the chosen one, by the tier that chose it; before the escalation. */
  readonly tierChains: Readonly<Record<Tier, readonly TargetRef[]>>;
  /** Targets after the chosen one, by the requested model; instead of everything else. */
  readonly modelChains: ReadonlyMap<string, readonly TargetRef[]>;
  readonly pools: readonly TargetPool[];
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  /** Milliseconds for one attempt: to its end, or for streams to its first byte; null: no limit. */
  readonly attemptMs: number | null;
  readonly firstByteMs: number | null;
  /** Milliseconds for all attempts together; null: no limit. */
  readonly totalMs: number | null;
  /** Estimated US dollars of all attempts together; null: no limit. */
  readonly maxUsd: number | null;
  /** Parameters that may be left out when a target's API has no place for them. */
  readonly drop: readonly string[];
  /** Answers up to this many bytes are looked into. */
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

/** Which answers of cheaper models are held beside the requested model's. */
export interface VerifyPolicy {
  /** 0..1. */
  readonly share: number;
  readonly maxUsdPerDay: number;
}

/** What is said of answers without being asked. */
export interface GradingPolicy {
  /** Answers are looked into, not only how they ended. */
  readonly checks: boolean;
  readonly regenerate: boolean;
  readonly judge: JudgePolicy | null;
}

/** What a matching override or rule asks for. `fallback`: the chain after it, in place of the section's. */
export type Directive =
  | { readonly kind: 'tier'; readonly tier: Tier; readonly fallback?: readonly TargetRef[] }
  | { readonly kind: 'model'; readonly target: TargetRef; readonly fallback?: readonly TargetRef[] }
  /** The most capable: the last tier's candidates, best first as listed. */
  | { readonly kind: 'best'; readonly fallback?: readonly TargetRef[] }
  /** The app's own model, untouched. */
  | { readonly kind: 'keep' }
  /** Its shape alone: the target is left to what comes after. */
  | { readonly kind: 'shape' }
  | { readonly kind: 'block'; readonly message: string };

/** What a caller may say of a request by headers. Closed list: a metric label. */
export const callerClaims = ['route', 'quality', 'task', 'session', 'cache', 'user', 'user-tier', 'workspace'] as const;
export type CallerClaim = (typeof callerClaims)[number];

/** Of whom a claim is believed. `gateway`: of all, since something before Sluice sets it and takes away what apps send. */
export type Belief = 'all' | 'trusted' | 'gateway' | 'nobody';

export type TextTest = (text: string) => boolean;

/** What callers are known by. All conditions that are not null (or empty) must hold. */
export interface CallerSigns {
  readonly principal: TextTest | null;
  readonly namespace: TextTest | null;
  readonly headers: readonly { readonly name: string; readonly values: ReadonlySet<string> }[];
  readonly claims: readonly { readonly path: string; readonly values: ReadonlySet<string> }[];
}

/** Who a caller is, whatever it says: texts with placeholders; null: what it says counts. */
export interface IdentityRule extends CallerSigns {
  readonly name: string;
  readonly workspaceIs: string | null;
  readonly userIs: string | null;
  readonly userTierIs: string | null;
}

/** Whose word counts. */
export interface TrustRule extends CallerSigns {
  readonly name: string;
  /** Asked only of a workspace that somebody vouches for. */
  readonly workspace: TextTest | null;
}

export interface CallersPolicy {
  readonly believe: Readonly<Record<CallerClaim, Belief>>;
  readonly identify: readonly IdentityRule[];
  readonly trust: readonly TrustRule[];
}

/** A claim that was made and does not count: its header came twice, or its caller is not believed. */
export interface IgnoredClaim {
  readonly claim: CallerClaim;
  readonly why: 'doubled' | 'untrusted';
}

/** How far a caller is believed. */
export interface CallerTrust {
  /** The rules that say who it is and that its word counts; null: none does. */
  readonly identity: string | null;
  readonly rule: string | null;
  /** Whether somebody else than the caller says its workspace. */
  readonly workspaceVouched: boolean;
  /** Complete once the request's headers have been read. */
  readonly ignored: readonly IgnoredClaim[];
  /** Whether what the caller says in its body counts for this claim. */
  believesBody(claim: CallerClaim): boolean;
}

/** Facts about the caller, from headers and the clock; part of every rule's view. */
export interface CallerContext {
  readonly workspace: string;
  /** Absent: nothing was asked; it is believed. */
  readonly trust?: CallerTrust;
  /** x-sluice-user-tier, lower case; null when absent. */
  readonly userTier: string | null;
  /** x-sluice-quality, lower case; null when absent. */
  readonly quality: string | null;
  /** x-sluice-task. */
  readonly task: string | null;
  /** x-sluice-session. */
  readonly session: string | null;
  /** Hash of the user that a header names (src/budgets/user.ts); null: none does. */
  readonly user: string | null;
  /** Request headers that the policy lists as readable by rules; lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The app's own id of the request, and its trace, for the record alone. */
  readonly requestId?: string | null;
  readonly traceId?: string | null;
}

/** What overrides and rules look at. */
export interface RuleInput {
  readonly exchange: Exchange;
  readonly verdict: Verdict;
  readonly caller: CallerContext;
  readonly provider: string;
  /** Other names of the requested model: that of an Azure deployment's model, and the catalog's. Absent: none is known. */
  readonly knownAs?: readonly string[];
}

export interface CompiledRule {
  readonly name: string;
  /** Where the record says it came from. */
  readonly kind: 'override' | 'rule';
  /** Its condition reads what any caller may say of a request (quality, task, session). */
  readonly hinted: boolean;
  /** It reads the verdict's task, which a caller may have said. */
  readonly readsTask: boolean;
  /** For people: the condition as the policy wrote it. */
  readonly source: string;
  /** Never throws: an evaluation error counts as no match and is reported through `onError` of the compiler. */
  matches(input: RuleInput): boolean;
  readonly then: Directive;
  /** Caps what the request asks for; null: nothing. */
  readonly shape: Shape | null;
}

/** What a pattern finds is replaced by tokens. `message`: where it cannot be. */
export interface MaskDirective {
  readonly kind: 'mask';
  readonly message: string;
}

export interface SensitivityRule {
  readonly name: string;
  /** What is looked for in all texts of the body. */
  readonly pattern: SensitivePattern;
  readonly then: (Directive & { readonly kind: 'model' | 'block' }) | MaskDirective;
}

/** Routing by predicted gain. */
export interface LearnedPolicy extends LearnedSettings {
  readonly weak: TargetRef;
  /** Requested models that the weak one may stand in for. */
  readonly strong: ReadonlySet<string>;
}

/** Several models that are compared by expected quality and cost. */
export interface ModelsPolicy {
  /** Null: the candidates of the request's tier. */
  readonly list: readonly TargetRef[] | null;
  /** Requested models that they may stand in for. */
  readonly for: ReadonlySet<string>;
  readonly objective: Objective;
}

/** How a section judges prompts. */
export interface SectionClassifier {
  readonly thresholds: TierThresholds;
  /** Null: the policy teaches nothing. */
  readonly examples: TaughtExamples | null;
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
  /** Caps what requests ask for, by the tier that answers; null: by none. */
  readonly shapes: Readonly<Record<Tier, Shape | null>> | null;
  readonly overrides: readonly CompiledRule[];
  readonly rules: readonly CompiledRule[];
  /** Null: prompts are routed by rules and tiers alone. */
  readonly learned: LearnedPolicy | null;
  /** Null: several candidates are compared by price alone. */
  readonly models: ModelsPolicy | null;
  /** Null: nothing is learnt from grades. */
  readonly learning: LearningSettings | null;
  /** Null: no answer is held beside another. */
  readonly verify: VerifyPolicy | null;
  readonly sensitivity: readonly SensitivityRule[];
  /** How each of these rules masks, null: it does not; null as a whole: none does. */
  readonly masks: readonly (MaskRule | null)[] | null;
  /** Whose key goes to the app's own provider. */
  readonly credentials: 'app' | 'gateway';
  /** Files with this section's own keys, by provider. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** Whether WebSockets, which nobody reads, may pass. */
  readonly websockets: 'allow' | 'refuse';
  /** Models that an app pins by asking for them: never rewritten. */
  readonly pinned: ReadonlySet<string>;
  /** Other providers this section may send to; empty = never crosses. */
  readonly allowProviders: ReadonlySet<string>;
  /** Whether the decision table may choose a costlier model than the requested one. */
  readonly upgrades: 'never' | 'allow';
  /** What to do with a requested model that the catalog does not know. */
  readonly unknownModel: 'keep' | 'route';
  /** Used when no candidate of any tier qualifies; null = the requested model. */
  readonly defaultTarget: TargetRef | null;
  /** What savings are counted against; null: the requested model. */
  readonly baseline: TargetRef | null;
  /** `ask`: add stream_options.include_usage to OpenAI-shaped streams that do not say; `leave`: never touch. */
  readonly streamUsage: 'ask' | 'enforce' | 'leave';
  readonly cache: CacheSettings;
  /** Null: one attempt, whatever becomes of it. */
  readonly fallback: FallbackPolicy | null;
  /** Null: each request stands for itself. */
  readonly sessions: SessionsPolicy | null;
  /** Null: answers are graded by how they ended alone. */
  readonly grading: GradingPolicy | null;
  /** How prompts appear in the record. */
  readonly promptCapture: { readonly kind: 'hash' } | { readonly kind: 'truncate'; readonly units: number } | { readonly kind: 'none' };
}
