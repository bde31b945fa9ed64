import type { Shape } from '../apis/shape/types.ts';
import type { Tier } from '../classify/types.ts';
import type { Calendar, PeriodKind } from './period.ts';

/** What a budget may keep apart. Closed list. */
export const budgetKeys = ['workspace', 'user', 'model', 'tier'] as const;
export type BudgetKey = (typeof budgetKeys)[number];

/** Amounts are whole billionths of a US dollar: sums of them are exact, here and in Redis. */
export type NanoUsd = number;

export const nano = 1e9;

/** Rounded up: what is spent is never less than what is counted. Finite and not negative, whatever came. */
export function nanoUsd(usd: number): NanoUsd {
  const whole = Math.ceil(usd * nano - 1e-6);
  return whole > 0 ? Math.min(whole, Number.MAX_SAFE_INTEGER) : 0;
}

/** One budget of the policy, compiled. */
export interface Budget {
  readonly name: string;
  readonly matchesWorkspace: (workspace: string) => boolean;
  /** `model` or `provider/model` of what is served; null: all. */
  readonly models: ReadonlySet<string> | null;
  readonly tiers: ReadonlySet<Tier> | null;
  /** One counter for each value of these; empty: one for all that matches. */
  readonly per: readonly BudgetKey[];
  readonly period: PeriodKind;
  readonly calendar: Calendar;
  readonly limit: NanoUsd;
  /** Percent of the limit, ascending. */
  readonly soft: readonly number[];
  /** Names of webhooks. */
  readonly notify: readonly string[];
  /** Null: nothing is ever changed or refused for this budget. */
  readonly hard: {
    readonly cheaper: Tier | null;
    readonly shape: Shape | null;
    readonly cheaperAt: NanoUsd;
    readonly message: string | null;
  } | null;
  /** What a request of unknown price counts with; null: it is refused. */
  readonly unknown: NanoUsd | null;
}

export interface Webhook {
  readonly name: string;
  readonly url: string | null;
  /** File that holds the URL, for one that is a secret. */
  readonly file: string | null;
  readonly format: 'json' | 'slack';
}

/** What a budget or a rate limit is about. */
export interface ServedMatch {
  readonly matchesWorkspace: (workspace: string) => boolean;
  readonly models: ReadonlySet<string> | null;
  readonly tiers: ReadonlySet<Tier> | null;
}
