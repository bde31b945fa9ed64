import type { Budget } from '../policy/budget-types.ts';
import { nanoUsd } from '../policy/budget-types.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { matchesServed, type Served } from './match.ts';
import { rateCounter, type RatePlan } from './rate-charges.ts';
import { limitAnswer } from './rate-refusal.ts';
import type { LimitReading } from './rate-types.ts';
import type { BudgetStore, Charge, Counter, CounterState, ReserveResult, Settlement } from './types.ts';

/** What is known beforehand of a call that Sluice only observes. */
export interface ObservedUnits {
  /** Providers charge nothing for it: uploading a file, cancelling a batch. */
  readonly free: boolean;
  /** Requests that it contains: more than 1 for a batch whose body lists them. */
  readonly contains: number;
  /** A connection whose end is not reported, so that it holds no slot of concurrent requests. */
  readonly endless: boolean;
}

/** Why such a call is refused, and when it may be retried. */
export interface SpentLimit {
  readonly kind: 'budget' | 'limit';
  readonly message: string;
  readonly retryAfterSeconds: number;
  /** What is left, for the headers that SDKs read; empty for a budget. */
  readonly readings: readonly LimitReading[];
  readonly now: number;
}

export type CallPlan = { readonly kind: 'budget'; readonly budget: Budget; readonly charge: Charge } | RatePlan;

export interface CallToPlan extends ObservedUnits {
  /** Null if its model is unknown. */
  readonly target: unknown;
  /** If false, nothing is refused. */
  readonly enforce: boolean;
  /** The budget's counter for this call; null if the budget does not apply. */
  readonly counter: (budget: Budget, now: number) => Counter | null;
}

/** What a call reserves in the budgets and rate limits that can apply to it. `of`: tier and, if unknown, target mean nothing. */
export function callPlans(
  { budgets, rateLimits }: Pick<PolicySnapshot, 'budgets' | 'rateLimits'>,
  of: Served,
  { target, free, contains, endless, enforce, counter }: CallToPlan,
  now: number,
): CallPlan[] {
  const about = ({ tiers, models, per }: Pick<Budget, 'tiers' | 'models' | 'per'>): boolean =>
    tiers === null && !per.includes('tier') && (target !== null || (models === null && !per.includes('model')));
  const plans: CallPlan[] = [];
  for (const budget of budgets) {
    const at = about(budget) ? counter(budget, now) : null;
    if (at === null) continue;
    const hard = enforce && budget.hard !== null;
    // NaN fits nowhere: the policy refuses what it cannot price.
    const amount = free ? 0 : budget.unknown === null ? (hard ? NaN : 0) : Math.min(budget.unknown * contains, Number.MAX_SAFE_INTEGER);
    // What is free is refused once nothing is left, as all other requests are.
    plans.push({ kind: 'budget', budget, charge: { counter: at, amount, ceiling: hard ? budget.limit - (free ? 1 : 0) : Infinity } });
  }
  for (const limit of rateLimits) {
    if (!about(limit) || !matchesServed(limit, of)) continue;
    for (const measure of limit.measures) {
      if (measure.kind === 'concurrent' && endless) continue;
      const amount = measure.kind !== 'tokens' ? 1 : free ? 0 : Math.min(limit.unknown * contains, Number.MAX_SAFE_INTEGER);
      const ceiling = enforce && !limit.soft ? measure.max - (amount === 0 ? 1 : 0) : Infinity;
      plans.push({ kind: 'limit', limit, measure, charge: { counter: rateCounter(limit, measure, of, now), amount, ceiling } });
    }
  }
  return plans;
}

export type Fitting =
  | { readonly ok: true; readonly states: readonly CounterState[]; readonly asked: null }
  /** Counted by a shared store that is not waited for. */
  | { readonly ok: true; readonly asked: Promise<ReserveResult | null> }
  | { readonly ok: false; readonly failed: number; readonly state: CounterState };

const unused: CounterState = { spent: 0, reserved: 0 };

/** Reserves the charges if they fit: exactly in a store that answers synchronously, otherwise by what this process saw last. */
export function fitting(store: BudgetStore, id: string, charges: readonly Charge[]): Fitting {
  if (store.kind !== 'memory') {
    for (const [failed, { counter, amount, ceiling }] of charges.entries()) {
      const state = store.peek(counter.id) ?? unused;
      if (!(amount >= 0 && state.spent + state.reserved + amount <= ceiling)) return { ok: false, failed, state };
    }
  }
  const result = store.reserve(id, store.kind === 'memory' ? charges : charges.map((charge) => ({ ...charge, ceiling: Infinity })));
  if (result instanceof Promise) return { ok: true, asked: result };
  if (result === null) return { ok: true, asked: Promise.resolve(null) };
  return result.ok ? { ok: true, states: result.states, asked: null } : result;
}

/** The answer to a call that does not fit. */
export function spentAnswer(
  plan: CallPlan,
  state: CounterState,
  plans: readonly CallPlan[],
  store: Pick<BudgetStore, 'peek'>,
  now: number,
): SpentLimit {
  if (plan.kind === 'limit') {
    const { message, retryAfterSeconds, refusal } = limitAnswer(
      plan,
      state,
      plans.filter((other) => other.kind === 'limit'),
      store,
      now,
    );
    return { kind: 'limit', message, retryAfterSeconds, readings: refusal.readings, now };
  }
  const { budget, charge } = plan;
  const { end } = charge.counter;
  const unpriced = Number.isNaN(charge.amount);
  const message = unpriced
    ? `The price of this call is unknown, and the budget ${budget.name} takes no such requests.`
    : `The budget ${budget.name} is used up until ${new Date(end).toISOString()}.`;
  return {
    kind: 'budget',
    message: budget.hard?.message ?? message,
    retryAfterSeconds: Math.max(1, Math.ceil((end - now) / 1000)),
    readings: [],
    now,
  };
}

/** What replaces a reservation when the call has ended. `held`: the store took the reservation. */
export function callSettlement(
  { kind, charge, ...plan }: CallPlan,
  { cost, status, usage, seen }: Pick<ExchangeRecord, 'cost' | 'status' | 'usage' | 'seen'>,
  held: boolean,
): Settlement {
  const { counter, amount } = charge;
  const reserved = held && !Number.isNaN(amount) ? amount : 0;
  const failed = status !== null && status >= 400;
  if (kind === 'budget') {
    const { budget } = plan as { readonly budget: Budget };
    const atLeast = cost.known || cost.atLeastUsd === undefined ? 0 : nanoUsd(cost.atLeastUsd);
    const spent = failed ? 0 : cost.known ? nanoUsd(cost.usd) : Math.max(reserved, amount || 0, atLeast);
    return {
      counter,
      reserved,
      spent,
      thresholds: budget.soft.map((percent) => [percent, Math.ceil((budget.limit * percent) / 100)] as const),
    };
  }
  const { measure } = plan as RatePlan;
  if (measure.kind !== 'tokens') return { counter, reserved, spent: measure.kind === 'requests' ? 1 : 0, thresholds: [] };
  const known = usage === null ? null : usage.totalInput + usage.totalOutput;
  return {
    counter,
    reserved,
    spent: known ?? (failed ? 0 : Math.max(amount, seen === undefined ? 0 : seen.input + seen.output)),
    thresholds: [],
  };
}
