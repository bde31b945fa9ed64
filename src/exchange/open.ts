import type { BudgetAdmission } from '../budgets/budgets.ts';
import type { Reservation } from '../budgets/reservation.ts';
import type { CacheHit } from '../cache/cache.ts';
import type { Fill } from '../cache/fill.ts';
import type { AnswerCopy } from '../grades/checks.ts';
import type { Judged } from '../grades/judge.ts';
import type { JudgePolicy } from '../policy/types.ts';
import type { RequestFacts } from '../record/record.ts';
import type { AnswerSource } from '../record/types.ts';
import type { ChainRun } from './chain/run.ts';

/**
 * A body's share of Envoy's memory. Envoy holds it several times while Sluice reads it, and once, for a retry, until the answer begins.
 */
export interface HeldBody {
  /** The request leaves for its provider. `observed`: `release` is called when its answer begins. */
  forwarded(observed: boolean): void;
  /** Idempotent. */
  release(): void;
}

/**
 * An exchange whose answer has not ended. It holds facts only, no prompt text and no body, so that a slow answer costs a few hundred bytes
 * plus what the cache collects.
 */
export interface OpenExchange extends RequestFacts {
  /** performance.now() at the request's headers. */
  readonly startedAt: number;
  /** An OpenAI-shaped stream whose app did not ask for usage. */
  readonly usageNotAsked: boolean;
  /** The usage of the answer may leave its price open; see AnswerSide. */
  readonly unclear?: boolean;
  /** Collects the answer for the cache; null if it is not cached. */
  readonly fill: Fill | null;
  /** Set when other targets may answer if the first one fails. */
  readonly chain: ChainRun | null;
  /** How long the request's conversation is remembered, ms; null if it has none or conversations are not tracked. */
  readonly sessionIdleMs: number | null;
  /** What is kept to grade the answer; null if it is not graded. */
  readonly grading: OpenGrading | null;
  /** The file of the gateway key that was sent; null if the app's key or a signature was. */
  keyFile: string | null;
  /** How its answer reaches Sluice. */
  readonly answerBy: AnswerSource;
  /** Its template (src/router/online/template.ts); null if it was not computed. */
  readonly template: string | null;
  /** What budgets reserved for it; null if nothing. */
  readonly reservation: Reservation | null;
  /** Its body's share of Envoy's memory; absent if it is not counted. */
  held?: HeldBody;
  /** The Envoy it came through; absent if unknown or if nothing is reserved for it. */
  readonly peer?: string | undefined;
}

/** What is kept of one exchange so that its answer can be graded. */
export interface OpenGrading {
  readonly maxOutputTokens: number | null;
  /** Null if only the answer's ending is graded. */
  readonly copy: AnswerCopy | null;
  /** Set when this answer was drawn for the judge. */
  readonly judge: { readonly policy: JudgePolicy; readonly judged: Judged } | null;
  /** Set when this answer is compared with another model's. */
  readonly verify: VerifiedSide | null;
}

/** A side of a verified request: the model that served it, or the stronger model, whose answer no app received. */
export type Side = 'served' | 'stronger';

/** One of the two answers that are compared. */
export interface VerifiedSide {
  readonly decision: string;
  readonly side: Side;
  /** The judge that grades them when they cannot be compared directly; null if none. */
  readonly judge: { readonly policy: JudgePolicy; readonly judged: Judged } | null;
}

/** The cache's result for a request. */
export type CacheFacts = Pick<OpenExchange, 'cache' | 'cacheEntry' | 'fill'> & {
  /** A stale answer to serve if the provider fails. */
  readonly rescue?: CacheHit | null;
};

/** For a request that the cache was not asked about. */
export const uncached: CacheFacts = { cache: 'off', cacheEntry: null, fill: null };

/** For a request to which no budget applies. */
export const noAdmission: Omit<BudgetAdmission, 'decision'> = { facts: [], limits: [], reservation: null, refusal: null };
