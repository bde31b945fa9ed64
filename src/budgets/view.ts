import type { PolicySnapshot } from '../policy/types.ts';
import { valuesOf } from './facts.ts';
import { nano, type Budget, type BudgetKey } from '../policy/budget-types.ts';
import { type BudgetStore, type CounterState } from './types.ts';
import type { Mutable } from '../lib/mutable.ts';

/** One counter as `GET /budgets` and `sluice budgets` show it. */
export interface BudgetView {
  readonly budget: string;
  readonly of: Readonly<Partial<Record<BudgetKey, string>>>;
  readonly period: string;
  /** ISO 8601. */
  readonly start: string;
  readonly end: string;
  readonly limitUsd: number;
  readonly spentUsd: number;
  readonly reservedUsd: number;
  /** 0..; above 1 if requests cost more than estimated, or if nothing is refused. */
  readonly used: number;
  /**
   * `ok`; `soft`: a threshold is passed; `cheaper`: requests move to a cheaper tier; `used-up`: requests are refused (hard) or not (soft
   * only).
   */
  readonly state: 'ok' | 'soft' | 'cheaper' | 'used-up';
}

/** All counters of the current periods, fullest first; unused budgets are listed with zero spent. */
export async function viewBudgets(
  generation: Pick<PolicySnapshot, 'budgets'>,
  store: BudgetStore,
  options: { readonly budget: string | null; readonly limit: number; readonly now: number },
): Promise<{ readonly store: string; readonly up: boolean; readonly counters: number; readonly budgets: readonly BudgetView[] }> {
  const views: BudgetView[] = [];
  for (const budget of generation.budgets) {
    if (options.budget !== null && budget.name !== options.budget) continue;
    const { start, end } = budget.calendar.at(options.now);
    const counters = await store.list(budget.name, start);
    const period = { period: budget.period, start: new Date(start).toISOString(), end: new Date(end).toISOString() };
    if (counters.length === 0) views.push({ budget: budget.name, of: {}, ...period, ...amounts(budget, { spent: 0, reserved: 0 }) });
    for (const [counter, state] of counters)
      views.push({ budget: budget.name, of: valuesOf(budget, counter), ...period, ...amounts(budget, state) });
  }
  views.sort((a, b) => b.used - a.used || (a.budget < b.budget ? -1 : 1));
  return { store: store.kind, up: store.up, counters: views.length, budgets: views.slice(0, options.limit) };
}

function amounts(
  budget: Budget,
  { spent, reserved }: CounterState,
): Pick<BudgetView, 'limitUsd' | 'spentUsd' | 'reservedUsd' | 'used' | 'state'> {
  const { limit, hard, soft } = budget;
  const used = spent + reserved;
  const state =
    used >= limit
      ? 'used-up'
      : hard !== null && (hard.cheaper !== null || hard.shape !== null) && used >= hard.cheaperAt
        ? 'cheaper'
        : soft.some((percent) => spent * 100 >= limit * percent)
          ? 'soft'
          : 'ok';
  return { limitUsd: limit / nano, spentUsd: spent / nano, reservedUsd: reserved / nano, used: used / limit, state };
}

/** Metrics for one budget: its fullest counter among those that this replica has seen. */
export interface BudgetFigures {
  readonly budget: string;
  readonly limitUsd: number;
  readonly spentUsd: number;
  readonly used: number;
  /** Elapsed share of the period, 0..1. */
  readonly elapsed: number;
  readonly counters: number;
}

export function budgetFigures(generation: Pick<PolicySnapshot, 'budgets'>, store: BudgetStore, now: number): BudgetFigures[] {
  type Sums = Mutable<BudgetFigures> & { readonly start: number; readonly limit: number };
  const figures = new Map<string, Sums>(
    generation.budgets.map((budget) => {
      const { start, end } = budget.calendar.at(now);
      return [
        budget.name,
        {
          budget: budget.name,
          start,
          limit: budget.limit,
          limitUsd: budget.limit / nano,
          spentUsd: 0,
          used: 0,
          elapsed: (now - start) / (end - start),
          counters: 0,
        },
      ] as const;
    }),
  );
  for (const [counter, { spent, reserved }] of store.seen()) {
    const figure = figures.get(counter.budget);
    if (figure === undefined || figure.start !== counter.start) continue;
    figure.spentUsd += spent / nano;
    figure.used = Math.max(figure.used, (spent + reserved) / figure.limit);
    figure.counters++;
  }
  return [...figures.values()];
}
