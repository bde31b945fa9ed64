import type { Shape } from '../apis/shape/types.ts';
import type { Tier } from '../classify/types.ts';
import type { Calendar, PeriodKind } from './period.ts';

/** Keys by which a budget may count separately. Closed list. */
export const budgetKeys = ['workspace', 'user', 'model', 'tier'] as const;
export type BudgetKey = (typeof budgetKeys)[number];

/** Amounts are whole billionths of a US dollar: sums of them are exact, here and in Redis. */
export type NanoUsd = number;

export const nano = 1e9;

/** Rounds up. The result is finite and not negative for any input. */
export function nanoUsd(usd: number): NanoUsd {
  const whole = Math.ceil(usd * nano - 1e-6);
  return whole > 0 ? Math.min(whole, Number.MAX_SAFE_INTEGER) : 0;
}

/** One budget of the policy, compiled. */
export interface Budget {
  readonly name: string;
  readonly matchesWorkspace: (workspace: string) => boolean;
  /** `model` or `provider/model` that serves the request; null for all. */
  readonly models: ReadonlySet<string> | null;
  readonly tiers: ReadonlySet<Tier> | null;
  /** One counter for each value of these keys; if empty, one for all matching requests. */
  readonly per: readonly BudgetKey[];
  readonly period: PeriodKind;
  readonly calendar: Calendar;
  readonly limit: NanoUsd;
  /** Percent of the limit, ascending. */
  readonly soft: readonly number[];
  /** Names of webhooks. */
  readonly notify: readonly string[];
  /** Null if this budget never changes or refuses a request. */
  readonly hard: {
    readonly cheaper: Tier | null;
    readonly shape: Shape | null;
    readonly cheaperAt: NanoUsd;
    readonly message: string | null;
  } | null;
  /** The amount counted for a request of unknown price; null if it is refused. */
  readonly unknown: NanoUsd | null;
}

export interface Webhook {
  readonly name: string;
  readonly url: string | null;
  /** File that holds the URL, if the URL is a secret. */
  readonly file: string | null;
  readonly format: 'json' | 'slack';
}

/** Which requests a budget or a rate limit applies to. */
export interface ServedMatch {
  readonly matchesWorkspace: (workspace: string) => boolean;
  readonly models: ReadonlySet<string> | null;
  readonly tiers: ReadonlySet<Tier> | null;
}
