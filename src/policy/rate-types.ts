import type { Tier } from '../classify/types.ts';
import type { BudgetKey } from './budget-types.ts';

/** What a rate limit counts. Closed list: a metric label. `concurrent`: requests in flight at the same time. */
export type RateKind = 'requests' | 'tokens' | 'concurrent';

/** Windows begin at whole minutes, hours and days of UTC. Closed list. */
export const ratePeriods = ['minute', 'hour', 'day'] as const;
export type RatePeriod = (typeof ratePeriods)[number];

export const periodMs: Readonly<Record<RatePeriod, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** One number of a rate limit. */
export interface RateMeasure {
  readonly kind: RateKind;
  /** Null only for `concurrent`. */
  readonly period: RatePeriod | null;
  /** Length of the window in ms; 0 for `concurrent`. */
  readonly windowMs: number;
  readonly max: number;
  /** The prefix of its counters' names; budget names contain no slash, so they differ. */
  readonly counters: string;
}

/** One rate limit of the policy, compiled. */
export interface RateLimit {
  readonly name: string;
  readonly matchesWorkspace: (workspace: string) => boolean;
  /** `model` or `provider/model` that serves the request; null for all. */
  readonly models: ReadonlySet<string> | null;
  readonly tiers: ReadonlySet<Tier> | null;
  /** One counter for each value of these keys; if empty, one for all matching requests. */
  readonly per: readonly BudgetKey[];
  readonly measures: readonly RateMeasure[];
  /** Tokens counted for a call that is only observed, whose tokens are unknown. */
  readonly unknown: number;
  /** Requests over the limit are counted but allowed. */
  readonly soft: boolean;
  /** The message for a refused request; null for a default that names the limit. */
  readonly message: string | null;
}
