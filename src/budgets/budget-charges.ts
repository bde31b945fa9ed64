import type { Budget } from '../policy/budget-types.ts';
import { matchesServed, valuesFor, type Served } from './match.ts';
import { counterId, type Charge, type Counter } from './types.ts';

/** What a request is to reserve in a budget. */
export interface BudgetPlan {
  readonly kind: 'budget';
  readonly budget: Budget;
  readonly charge: Charge;
}

/** The counter of a budget in which something counts; null if the budget does not apply to it. */
export function budgetCounter(budget: Budget, of: Served, now: number): Counter | null {
  if (!matchesServed(budget, of)) return null;
  const { start, end } = budget.calendar.at(now);
  const values = valuesFor(budget.per, of);
  return { id: counterId(budget.name, start, values), budget: budget.name, values, start, end };
}

/** The amounts that a request of this estimated cost is to reserve. `amount`: of a budget; NaN where it refuses an unknown price. */
export function budgetPlans(
  budgets: readonly Budget[],
  of: Served,
  now: number,
  { amount, ceiling }: { readonly amount: (budget: Budget) => number; readonly ceiling: (budget: Budget) => number },
): BudgetPlan[] {
  return budgets.flatMap((budget) => {
    const counter = budgetCounter(budget, of, now);
    return counter === null
      ? []
      : [{ kind: 'budget' as const, budget, charge: { counter, amount: amount(budget), ceiling: ceiling(budget) } }];
  });
}
