import type { BudgetKey } from '../policy/budget-types.ts';
import type { RateKind, RatePeriod } from '../policy/rate-types.ts';

/** One measure of one rate limit in a request's record. */
export interface LimitFacts {
  readonly limit: string;
  readonly kind: RateKind;
  readonly period: RatePeriod | null;
  /** The values that its counter is for, by key. */
  readonly of: Readonly<Partial<Record<BudgetKey, string>>>;
  /** `counted`; `over`: over the limit but allowed; `refused`: it stopped the request; `uncounted`: its store could not be asked. */
  readonly action: 'counted' | 'over' | 'refused' | 'uncounted';
  /** Requests or tokens reserved when the request was decided; null if none. */
  readonly reserved: number | null;
  /** Used at that time, including in-flight requests; null if unknown. */
  readonly used: number | null;
  readonly max: number;
}

/** What is left of one measure, for an app that was refused. */
export interface LimitReading {
  readonly kind: 'requests' | 'tokens';
  readonly max: number;
  readonly remaining: number;
  /** When its window ends, in milliseconds since the epoch. */
  readonly resetAt: number;
}

/** What the answer to a rate-limited request contains besides its message. */
export interface LimitRefusal {
  readonly kind: RateKind;
  /** At most one per kind. */
  readonly readings: readonly LimitReading[];
  /** False if the same request will never fit. */
  readonly mayRetry: boolean;
  readonly now: number;
}
