import type { BudgetKey } from '../policy/budget-types.ts';
import type { RateKind, RatePeriod } from '../policy/rate-types.ts';

/** What a request's record says of one number of one rate limit. */
export interface LimitFacts {
  readonly limit: string;
  readonly kind: RateKind;
  readonly period: RatePeriod | null;
  /** The values that it is kept for, by key. */
  readonly of: Readonly<Partial<Record<BudgetKey, string>>>;
  /** `counted`; `over`: beyond the limit, and let go on; `refused`: it stopped the request; `uncounted`: its store could not be asked. */
  readonly action: 'counted' | 'over' | 'refused' | 'uncounted';
  /** Requests or tokens that were set aside when the request was decided; null: nothing was. */
  readonly reserved: number | null;
  /** Used of it then, requests on their way included; null: not known. */
  readonly used: number | null;
  readonly max: number;
}

/** What is left of one number, for an app that was refused. */
export interface LimitReading {
  readonly kind: 'requests' | 'tokens';
  readonly max: number;
  readonly remaining: number;
  /** Milliseconds since the epoch when its window ends. */
  readonly resetAt: number;
}

/** What the answer to a request that a rate limit refuses says beside its message. */
export interface LimitRefusal {
  readonly kind: RateKind;
  /** At most one of each kind. */
  readonly readings: readonly LimitReading[];
  /** False: the same request will never fit. */
  readonly mayRetry: boolean;
  readonly now: number;
}
