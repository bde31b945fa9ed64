import type { ShapeLeft } from '../apis/shape/types.ts';
import { rateWords } from '../budgets/rate-refusal.ts';
import type { LimitFacts } from '../budgets/rate-types.ts';
import type { BudgetFacts } from '../budgets/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { money } from './explain-words.ts';

const budgetActions: Readonly<Record<BudgetFacts['action'], string>> = {
  counted: 'counted',
  cheaper: 'moved the request to a cheaper tier',
  refused: 'refused the request',
  uncounted: 'could not be asked; the request went on',
};

/** What each budget said. */
export function budgetLines(record: ExchangeRecord): string[] {
  // Records written before budgets existed have no such field.
  const budgets = (record as Partial<ExchangeRecord>).budgets ?? [];
  if (budgets.length === 0) return [];
  const usd = (amount: number): string => `$${amount.toFixed(8)}`;
  return [
    '',
    'Budgets',
    ...budgets.map(({ budget, of, action, reserved, used, limit }) => {
      const values = Object.entries(of).map(([key, value]) => ` ${key} ${value}`);
      return `  ${budget}${values.length === 0 ? '' : ` for${values.join(',')}`}: ${budgetActions[action]}; used ${used === null ? 'unknown' : usd(used)} of ${usd(limit)}${reserved === null ? '' : `, ${usd(reserved)} set aside for this request`}`;
    }),
  ];
}

const limitActions: Readonly<Record<LimitFacts['action'], string>> = {
  counted: 'counted',
  over: 'beyond the limit, and let go on',
  refused: 'refused the request',
  uncounted: 'could not be asked; the request went on',
};

/** What each rate limit said. */
export function limitLines({ limits = [] }: ExchangeRecord): string[] {
  if (limits.length === 0) return [];
  return [
    '',
    'Rate limits',
    ...limits.map((facts) => {
      const { limit, of, action, reserved, used } = facts;
      const values = Object.entries(of).map(([key, value]) => ` ${key} ${value}`);
      return `  ${limit}${values.length === 0 ? '' : ` for${values.join(',')}`}, ${rateWords(facts)}: ${limitActions[action]}; ${used ?? 'unknown'} used${reserved === null ? '' : `, ${reserved} set aside for this request`}`;
    }),
  ];
}

const leftAlone: Readonly<Record<ShapeLeft, string>> = {
  'not-taken': 'a model that may answer does not take it',
  'no-place': 'the API has no place for it here',
  'not-said': 'the app does not ask for it',
};

/** What the policy capped. */
export function shapeLines({ decision, mode, shapeSavings }: ExchangeRecord): string[] {
  const shape = decision?.shape;
  if (shape === undefined) return [];
  return [
    '',
    `Shape, by ${shape.by.join(', ')}${mode === 'enabled' ? '' : ' (shadow mode: nothing was changed)'}`,
    ...shape.changes.map(({ path, from, to }) => `  ${path}: ${from ?? 'not said'} → ${to}`),
    ...shape.left.map(({ part, why }) => `  ${part} is left alone: ${leftAlone[why]}`),
    ...(shape.changes.length + shape.left.length === 0 ? ['  nothing to cap: the app asks for no more'] : []),
    ...(shapeSavings === undefined ? [] : [`  saved about ${money(shapeSavings)}, counted apart from what routing saved`]),
  ];
}

/** Cost, baseline and savings. */
export function moneyLines({ cost, baseline, savings, baselineBasis: basis }: ExchangeRecord): string[] {
  const against =
    basis === undefined
      ? 'requested model, same usage'
      : `${basis.target}, ${basis.tokens === 'same' ? 'same usage' : 'the tokens that it typically takes'}`;
  const between =
    basis === undefined || basis.low === null || basis.high === null
      ? ''
      : ` (90% between $${basis.low.toFixed(8)} and $${basis.high.toFixed(8)})`;
  return ['', `Cost ${money(cost)}`, `  ${against}: ${money(baseline)}${between}`, `  saved: ${money(savings)}`];
}
