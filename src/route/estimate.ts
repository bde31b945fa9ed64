import type { Verdict } from '../classify/types.ts';
import type { ParsedRequest } from '../apis/types.ts';
import { assumedTokens } from '../router/output/assumed.ts';

/**
 * Output tokens that estimates assume for one answer: what the task usually needs, at most the app's own limit. 0 for operations that
 * generate nothing.
 */
export function expectedAnswerTokens(exchange: ParsedRequest, verdict: Verdict): number {
  if (exchange.operation !== 'generate') return 0;
  // A caller's stated task must not lower the amount reserved in a budget.
  return assumedTokens(verdict.classifiedTask ?? verdict.task, exchange.lastUser.length, exchange.maxOutputTokens);
}

/** Output tokens for the whole call: `n` answers are billed `n` times. */
export function expectedOutputTokens(exchange: ParsedRequest, verdict: Verdict): number {
  return expectedAnswerTokens(exchange, verdict) * Math.max(1, exchange.n);
}
