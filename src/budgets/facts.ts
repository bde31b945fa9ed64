import { nano, type Budget, type BudgetKey, type NanoUsd } from '../policy/budget-types.ts';
import type { RatePlan } from './rate-charges.ts';
import type { LimitFacts } from './rate-types.ts';
import type { BudgetFacts, Counter, CounterState } from './types.ts';

/** One measure of a rate limit as a record shows it. */
export function limitFacts(
  { limit, measure, charge }: RatePlan,
  action: LimitFacts['action'],
  reserved: number | null,
  state: CounterState | null,
): LimitFacts {
  return {
    limit: limit.name,
    kind: measure.kind,
    period: measure.period,
    of: valuesOf(limit, charge.counter),
    action,
    reserved,
    used: state === null ? null : state.spent + state.reserved,
    max: measure.max,
  };
}

/** One budget as a record shows it. */
export function factsOf(
  budget: Budget,
  counter: Counter,
  action: BudgetFacts['action'],
  reserved: NanoUsd | null,
  state: CounterState | null,
): BudgetFacts {
  return {
    budget: budget.name,
    of: valuesOf(budget, counter),
    action,
    reserved: reserved === null ? null : reserved / nano,
    used: state === null ? null : (state.spent + state.reserved) / nano,
    limit: budget.limit / nano,
  };
}

/** The values that a counter is kept for, by key. */
export function valuesOf({ per }: Pick<Budget, 'per'>, { values }: Pick<Counter, 'values'>): Partial<Record<BudgetKey, string>> {
  return Object.fromEntries(per.map((key, at) => [key, values[at] ?? '']));
}
