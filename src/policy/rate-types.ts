import type { Tier } from '../classify/types.ts';
import type { BudgetKey } from './budget-types.ts';

/** What a rate limit counts. Closed list: a metric label. `concurrent`: requests that are on their way at the same time. */
export const rateKinds = ['requests', 'tokens', 'concurrent'] as const;
export type RateKind = (typeof rateKinds)[number];

/** Windows begin at whole minutes, hours and days of UTC. Closed list. */
export const ratePeriods = ['minute', 'hour', 'day'] as const;
export type RatePeriod = (typeof ratePeriods)[number];

export const periodMs: Readonly<Record<RatePeriod, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** One number of a rate limit. */
export interface RateMeasure {
  readonly kind: RateKind;
  /** Null exactly for `concurrent`. */
  readonly period: RatePeriod | null;
  /** Length of the window in ms; 0 for `concurrent`. */
  readonly windowMs: number;
  readonly max: number;
  /** The first part of its counters' names; no budget's name has a slash. */
  readonly counters: string;
}

/** One rate limit of the policy, compiled. */
export interface RateLimit {
  readonly name: string;
  readonly matchesWorkspace: (workspace: string) => boolean;
  /** `model` or `provider/model` of what is served; null: all. */
  readonly models: ReadonlySet<string> | null;
  readonly tiers: ReadonlySet<Tier> | null;
  /** One counter for each value of these; empty: one for all that matches. */
  readonly per: readonly BudgetKey[];
  readonly measures: readonly RateMeasure[];
  /** Requests beyond it are counted and go on. */
  readonly soft: boolean;
  /** What a refused request is told; null: a sentence that names the limit. */
  readonly message: string | null;
}
