import type { BaselineBasis } from '../route/savings.ts';
import type { LimitFacts } from '../budgets/rate-types.ts';
import type { BudgetFacts } from '../budgets/types.ts';
import type { Cost } from '../catalog/types.ts';
import type { Verdict } from '../classify/types.ts';
import type { ApiName, JsonOutput, Operation, ParameterValue, PassReason, Usage, UsageUnknown } from '../apis/types.ts';
import type { QualityCheck } from '../grades/checks.ts';
import type { FallbackTrigger, IgnoredClaim, TargetRef } from '../policy/types.ts';
import type { Decision } from '../route/types.ts';
import type { TraceFacts } from './trace.ts';

/** By what an exchange's answer reaches Sluice. Closed list: a metric label. */
export type AnswerSource = 'copies' | 'collected' | 'protocol-manager';

/** How an exchange ended. Closed list: a metric label. */
export type OutcomeKind =
  | 'complete'
  /** The stream ended without its terminal event, or was reset by the provider. */
  | 'cut'
  /** The client went away before the end. */
  | 'client-gone'
  /** The provider answered with 4xx or 5xx, or an error event. */
  | 'provider-error'
  /** Sluice answered: the policy blocked it. */
  | 'blocked'
  /** Sluice answered: only a cached answer was wanted, and there was none. */
  | 'not-cached'
  /** No response phase reached Sluice. */
  | 'unobserved';

/**
 * What the cache did. Closed list: a metric label. `hit`, `stale` (past its time), `coalesced` (waited for an identical request), `semantic` (the answer to another question that asks the same): it answered.
 * `miss`: it had nothing; `bypass`: it was not asked, as the caller or the policy wants; `off`: there is none here.
 */
export type CacheState = 'off' | 'bypass' | 'miss' | 'hit' | 'stale' | 'coalesced' | 'semantic';

export interface CacheEntryFacts {
  readonly id: string;
  readonly ageSeconds: number;
  /** Who gave the answer when it was fetched. */
  readonly target: TargetRef;
  readonly tier: string | null;
  /** How much longer the provider took then; null when that is unknown. */
  readonly savedMs: number | null;
}

/** What a decision needs to know of a request beside its size: enough to decide it anew for another policy. */
export interface RequestAsks {
  readonly userTurns: number;
  /** UTF-16 units of the last user text. */
  readonly userUnits: number;
  readonly maxOutputTokens: number | null;
  /** Answers asked for at once. */
  readonly answers: number;
  readonly jsonOutput: JsonOutput;
  readonly audioInputs: number;
  readonly audioOutput: boolean;
  readonly files: number;
  readonly reasoning: string | null;
  /** Parameters that not every model takes, with their values; absent: there are none. */
  readonly parameters?: readonly (readonly [string, ParameterValue])[];
}

/** What a caller said, as far as it counted. */
export interface CallerFacts {
  readonly userTier: string | null;
  readonly quality: string | null;
  readonly task: string | null;
  /** The rule of `callers.identify` that says who it is; absent: none does. */
  readonly identity?: string;
  /** The rule of `callers.trust` by which its word counts; absent: none does. */
  readonly trusted?: string;
  /** What it said that did not count; absent: all counted. */
  readonly ignored?: readonly IgnoredClaim[];
}

export interface AttemptRecord {
  readonly target: TargetRef;
  /** Null when no response headers came. */
  readonly status: number | null;
  readonly outcome: OutcomeKind;
  /** Why the next target was tried; null for the attempt whose answer the app got. */
  readonly reason: FallbackTrigger | null;
  readonly ms: number | null;
  readonly cost: Cost;
  /** Parameters that its translation left out, as the policy allows. */
  readonly dropped: readonly string[];
  /** What was written in the target's own words, `max_tokens → max_completion_tokens`; absent: nothing. */
  readonly adapted?: readonly string[];
}

/** One request's record: everything that explains it a month later. Sinks get this object and nothing else. */
export interface ExchangeRecord {
  /** `shadow`: a copy of a request, whose answer nobody got. `cached`: Sluice answered, or said that it could not, before anything was decided. */
  readonly kind: 'decision' | 'observed' | 'pass' | 'cached' | 'shadow';
  /** Of kind shadow: the decision whose request was copied. */
  readonly shadowOf?: string;
  /** UUIDv7, Sluice's own; never the client's. */
  readonly id: string;
  /** The provider's own id of the answer that the app got (`id`, `responseId` in its body); null: none was seen. Absent in records of earlier versions. */
  readonly responseId?: string | null;
  /** The app's own id of the request, from the header that `serve --request-id-header` names; null: it sent none. Absent in records of earlier versions. */
  readonly requestId?: string | null;
  /** The trace that the request belongs to, by its traceparent header or begun here, hex; null: none. Absent in records of earlier versions. */
  readonly traceId?: string | null;
  /** ISO 8601 with ms. */
  readonly time: string;
  readonly workspace: string;
  /** The user's hash (src/budgets/user.ts); null: the request named none. */
  readonly user: string | null;
  readonly provider: string | null;
  readonly api: ApiName | null;
  readonly operation: Operation;
  readonly stream: boolean;
  /** Set for kinds observed and pass. */
  readonly passReason: PassReason | null;
  /** What it was for; only of kinds observed and pass. */
  readonly call?: { readonly method: string; readonly path: string; readonly about: string | null; readonly reads: boolean };
  readonly requestedModel: string | null;
  readonly servedModel: string | null;
  /** As the provider's answer names it. */
  readonly answeredModel: string | null;
  readonly verdict: Verdict | null;
  readonly decision: Decision | null;
  readonly section: string | null;
  readonly mode: 'enabled' | 'shadow' | 'off';
  readonly policy: { readonly number: number; readonly hash: string; readonly resourceVersion: string | null };
  readonly catalogVersion: string;
  readonly request: {
    readonly bytes: number;
    readonly estimatedTokens: number | null;
    readonly messages: number | null;
    readonly tools: number | null;
    readonly images: number | null;
    /** SHA-256 of the last user text, hex, first 16 digits; null when capture is none. */
    readonly promptHash: string | null;
    /** Only where the policy asks for it. */
    readonly promptStart: string | null;
    /** What the request needs of a model; null: it was not read. */
    readonly asks: RequestAsks | null;
  };
  /** What the caller said of itself, as overrides read it; null: nothing was read. */
  readonly caller: CallerFacts | null;
  readonly outcome: OutcomeKind;
  readonly status: number | null;
  readonly finishReason: string | null;
  readonly errorType: string | null;
  /** What checks of the answer's form came to; null: there was no whole answer of a model. */
  readonly quality: QualityCheck | null;
  readonly usage: Usage | null;
  readonly usageUnknown: UsageUnknown | null;
  /** Where the usage of a stream is unknown: tokens that went by, estimated. Absent: nothing was seen. */
  readonly seen?: { readonly input: number; readonly output: number };
  readonly cost: Cost;
  /** What the requested model would have cost for the same usage. */
  readonly baseline: Cost;
  /** baseline - cost; known only when both are. */
  readonly savings: Cost;
  /** What the policy's shape is reckoned to have saved, US dollars; in none of the sums above. Absent: it changed nothing. */
  readonly shapeSavings?: Cost;
  /** In shadow mode: what the model that would have been served would have saved for the same usage, US dollars, negative where it costs more; in none of the sums above. Absent: nothing would have changed. */
  readonly shadowSavings?: Cost;
  /** How the baseline was reckoned; absent: the requested model, with the tokens of the answer that was served. */
  readonly baselineBasis?: BaselineBasis;
  readonly attempts: readonly AttemptRecord[];
  /** The file of the gateway's key that it left with last; absent: the app's own, a signature, or nothing left. */
  readonly key?: string;
  /** Requests of one shape have one (src/router/online/template.ts); absent: it was not reckoned. */
  readonly template?: string;
  readonly cache: CacheState;
  /** The answer that was served from the cache; null when none was. */
  readonly cacheEntry: CacheEntryFacts | null;
  /** Experiment arms, `name:control` or `name:treatment`, joined by commas; null: it takes part in none. */
  readonly arm: string | null;
  /** Null while spans are off. */
  readonly trace: TraceFacts | null;
  /** How many matches of which sensitivity rules were replaced by tokens; absent: none. */
  readonly masked?: readonly { readonly rule: string; readonly matches: number }[];
  /** The budgets that were asked about it, and what they did. */
  readonly budgets: readonly BudgetFacts[];
  /** The rate limits that were asked about it, and what they did; absent: none was. */
  readonly limits?: readonly LimitFacts[];
  readonly timing: {
    /** Sluice's own time on the request path: scan, classify, decide, rewrite. */
    readonly overheadMs: number;
    /** From the request's headers to the response's headers. */
    readonly firstByteMs: number | null;
    /** To the first output token of a stream. */
    readonly firstTokenMs: number | null;
    readonly totalMs: number | null;
  };
}

/** Gets every record once, when the exchange is over. Must not throw and must not block. */
export interface RecordSink {
  record(record: ExchangeRecord): void;
}
