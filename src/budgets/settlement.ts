import type { ExchangeRecord } from '../record/types.ts';
import { nanoUsd, type Budget, type NanoUsd } from '../policy/budget-types.ts';
import { budgetCounter } from './budget-charges.ts';
import { matchesServed, type Served } from './match.ts';
import { rateCounter, rateSpent, unseen } from './rate-charges.ts';
import type { Reservation } from './reservation.ts';
import type { Charge, Counter, Settlement } from './types.ts';

/** What budgets need of an ended request. */
export type EndedRequest = Pick<ExchangeRecord, 'attempts' | 'workspace' | 'usage' | 'seen' | 'cost' | 'status'>;

type Attempt = EndedRequest['attempts'][number];

/** What replaces a reservation, and the budgets in which an unknown cost counts as an assumed amount, one entry for each. */
export interface Settled {
  readonly settlements: readonly Settlement[];
  readonly assumed: readonly string[];
}

/** The actual cost and usage of a request in each counter. An attempt at another model counts in that model's counter. */
export function settlementsOf(reservation: Reservation, record: EndedRequest): Settled {
  const settlements: Settlement[] = [];
  const assumed: string[] = [];
  const open = new Map(reservation.charges.map((charge) => [charge.counter.id, charge]));
  for (const budget of reservation.generation.budgets) addBudget(budget, reservation, record, open, { settlements, assumed });
  addLimits(reservation, record, open, settlements);
  if (reservation.held)
    for (const { counter, amount } of open.values()) settlements.push({ counter, reserved: amount, spent: 0, thresholds: [] });
  return { settlements, assumed };
}

const servedBy = ({ countedAs, user, tier }: Reservation, { workspace }: EndedRequest, { target }: Attempt): Served => ({
  workspace,
  countedAs,
  user,
  target,
  tier,
});

function addBudget(
  budget: Budget,
  reservation: Reservation,
  record: EndedRequest,
  open: Map<string, Charge>,
  { settlements, assumed }: { readonly settlements: Settlement[]; readonly assumed: string[] },
): void {
  const { charges, held, at } = reservation;
  const spent = new Map<string, { readonly counter: Counter; nanos: NanoUsd }>();
  for (const attempt of record.attempts) {
    const { cost, status } = attempt;
    const counter = budgetCounter(budget, servedBy(reservation, record, attempt), at);
    if (counter === null) continue;
    let entry = spent.get(counter.id);
    if (entry === undefined) spent.set(counter.id, (entry = { counter, nanos: 0 }));
    if (cost.known) {
      entry.nanos += nanoUsd(cost.usd);
    } else if (status === null || status < 400) {
      const reserved = charges.find((charge) => charge.counter.budget === budget.name)?.amount ?? budget.unknown ?? 0;
      // The seen part of a cut stream may cost more than was assumed.
      entry.nanos += Math.max(reserved, cost.atLeastUsd === undefined ? 0 : nanoUsd(cost.atLeastUsd));
      assumed.push(budget.name);
    }
  }
  const thresholds = budget.soft.map((percent) => [percent, Math.ceil((budget.limit * percent) / 100)] as const);
  for (const { counter, nanos } of spent.values()) {
    const charge = open.get(counter.id);
    open.delete(counter.id);
    settlements.push({ counter, reserved: held ? (charge?.amount ?? 0) : 0, spent: nanos, thresholds });
  }
}

/** Rate limits in requests and tokens. A slot for a concurrent request stays in `open`, so it is released. */
function addLimits(reservation: Reservation, record: EndedRequest, open: Map<string, Charge>, settlements: Settlement[]): void {
  const { generation, at, held, charges } = reservation;
  const last = record.attempts.at(-1);
  for (const limit of generation.rateLimits) {
    for (const measure of limit.measures) {
      if (measure.kind === 'concurrent') continue;
      const reserved = charges.find(({ counter }) => counter.budget === measure.counters)?.amount ?? 0;
      const spent = new Map<string, { readonly counter: Counter; amount: number }>();
      for (const attempt of record.attempts) {
        const of = servedBy(reservation, record, attempt);
        if (!matchesServed(limit, of)) continue;
        const counter = rateCounter(limit, measure, of, at);
        const amount = rateSpent(measure.kind, attempt, attempt === last ? record : unseen, reserved);
        const entry = spent.get(counter.id);
        if (entry === undefined) spent.set(counter.id, { counter, amount });
        // All attempts of a chain count as one request.
        else if (measure.kind === 'tokens') entry.amount += amount;
      }
      for (const { counter, amount } of spent.values()) {
        const charge = open.get(counter.id);
        open.delete(counter.id);
        settlements.push({ counter, reserved: held ? (charge?.amount ?? 0) : 0, spent: amount, thresholds: [] });
      }
    }
  }
}
