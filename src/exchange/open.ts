import type { Admission, Reservation } from '../budgets/budgets.ts';
import type { CacheHit } from '../cache/cache.ts';
import type { Fill } from '../cache/fill.ts';
import type { AnswerCopy } from '../grades/checks.ts';
import type { JudgedPrompt } from '../grades/judge.ts';
import type { JudgePolicy } from '../policy/types.ts';
import type { RequestFacts } from '../record/record.ts';
import type { AnswerSource } from '../record/types.ts';
import type { OutputKey } from '../router/output/tokens.ts';
import type { ChainRun } from './chain/run.ts';

/**
 * An exchange whose answer has not ended. Holds facts only, no prompt text and no body, so that a slow answer costs a
 * few hundred bytes, and what the cache collects of it.
 */
export interface OpenExchange extends RequestFacts {
  /** performance.now() at the request's headers. */
  readonly startedAt: number;
  /** An OpenAI-shaped stream whose app did not ask for usage. */
  readonly usageNotAsked: boolean;
  /** Takes the answer for the cache; null where nothing is to be kept. */
  readonly fill: Fill | null;
  /** Set when other targets may answer if the first one fails. */
  readonly chain: ChainRun | null;
  /** Milliseconds for which the request's conversation is remembered; null: it has none, or is not kept together. */
  readonly sessionIdleMs: number | null;
  /** What is kept to grade the answer; null: it is not graded. */
  readonly grading: OpenGrading | null;
  /** The file of the gateway's key that it left with; null: the app's own, or a signature. */
  keyFile: string | null;
  /** By what its answer reaches Sluice. */
  readonly answerBy: AnswerSource;
  /** What the length of its answer teaches, and what was assumed of its task; null: nothing is learnt. */
  readonly output: { readonly key: OutputKey; readonly assumed: number } | null;
  /** What budgets have set aside for it; null: nothing. */
  readonly reservation: Reservation | null;
  /** Which Envoy it came through; absent: not known, or nothing is held for it. */
  readonly peer?: string | undefined;
}

/** What is kept of one exchange so that its answer can be graded. */
export interface OpenGrading {
  readonly maxOutputTokens: number | null;
  /** Null: how the answer ends is all that is looked at. */
  readonly copy: AnswerCopy | null;
  /** Set when this answer was drawn for the judge. */
  readonly judge: { readonly policy: JudgePolicy; readonly prompt: JudgedPrompt } | null;
  /** Set when this answer is held beside another model's. */
  readonly verify: VerifiedSide | null;
}

/** Whose answer to a verified request: that of the model that served it, or that of the stronger one, which nobody got. */
export type Side = 'served' | 'stronger';

/** One of two answers to a request that are held beside each other. */
export interface VerifiedSide {
  readonly decision: string;
  readonly side: Side;
  /** Who grades them where their agreement cannot be read off; null: nobody. */
  readonly judge: { readonly policy: JudgePolicy; readonly prompt: JudgedPrompt } | null;
}

/** What the cache had to say about a request. */
export type CacheFacts = Pick<OpenExchange, 'cache' | 'cacheEntry' | 'fill'> & {
  /** An old answer that may serve if the provider fails. */
  readonly rescue?: CacheHit | null;
};

/** For a request that the cache was not asked about. */
export const uncached: CacheFacts = { cache: 'off', cacheEntry: null, fill: null };

/** Of a request that no budget is about. */
export const noAdmission: Omit<Admission, 'decision'> = { facts: [], limits: [], reservation: null, refusal: null };
