import type { RequestFacts } from '../provenance/record.ts';

/**
 * An exchange whose answer has not ended. Holds facts only, no prompt text and no body, so that a slow answer costs a
 * few hundred bytes.
 */
export interface OpenExchange extends RequestFacts {
  /** performance.now() at the request's headers. */
  readonly startedAt: number;
  /** An OpenAI-shaped stream whose app did not ask for usage. */
  readonly usageNotAsked: boolean;
}
