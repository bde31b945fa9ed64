import type { Tier } from '../classify/types.ts';
import type { CallerContext, PolicyGeneration, TargetRef } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { BudgetStep, DecideInput, Decision } from '../route/types.ts';
import { matchesServed, valuesFor, type Served } from './match.ts';
import { rateCounter, ratePlans, rateSpent, unseen, type RatePlan } from './rate-charges.ts';
import { limitAnswer, rateWords } from './rate-refusal.ts';
import type { LimitFacts, LimitRefusal } from './rate-types.ts';
import type { RateKind } from '../policy/rate-types.ts';
import { otherWorkspaces, UnnamedWorkspaces } from './unnamed.ts';
import {
  counterId,
  type BudgetFacts,
  type BudgetStore,
  type Charge,
  type Counter,
  type CounterState,
  type Crossing,
  type ReserveResult,
  type Settlement,
} from './types.ts';
import { nano, nanoUsd, type Budget, type BudgetKey, type NanoUsd } from '../policy/budget-types.ts';

/** An event that people are notified of once per period. */
export interface BudgetEvent {
  readonly kind: 'threshold' | 'cheaper' | 'refused';
  readonly budget: Budget;
  readonly counter: Counter;
  /** The threshold's percentage; null for other events. */
  readonly percent: number | null;
  readonly state: CounterState;
}

export interface BudgetsOptions {
  readonly store: BudgetStore;
  /** Called once for each event, counter and period, across all replicas that share the store. */
  readonly onEvent: (event: BudgetEvent, generation: PolicyGeneration) => void;
  /** Called when a request was moved or refused, or an amount was assumed; for metrics. */
  readonly onAction: (budget: string, action: 'cheaper' | 'refused' | 'assumed') => void;
  /** Called when a request was over a rate limit; for metrics. */
  readonly onLimit: (limit: string, kind: RateKind, action: 'over' | 'refused') => void;
  /** Called when a request's workspace is over the bound of separately counted ones; for metrics. */
  readonly onShared?: () => void;
  readonly now?: () => number;
}

export interface AdmitRequest {
  readonly id: string;
  readonly input: DecideInput;
  readonly decision: Decision;
  readonly user: string | null;
  /** If false, the request proceeds as decided whatever the budgets say, but is counted. */
  readonly enforce: boolean;
  /** Decides again for a budget's step; null if the request must not be changed. */
  readonly cheaper: ((step: BudgetStep) => Decision) | null;
}

/** How the budgets decided on a request. */
export interface Admission {
  readonly decision: Decision;
  readonly facts: readonly BudgetFacts[];
  readonly limits: readonly LimitFacts[];
  readonly reservation: Reservation | null;
  /** Details for the answer if a rate limit refused the request, else null. */
  readonly refusal: LimitRefusal | null;
}

/** The amounts reserved for one request until it is settled. */
export interface Reservation {
  readonly id: string;
  readonly generation: PolicyGeneration;
  /** See Served. */
  readonly countedAs: string;
  readonly user: string | null;
  readonly tier: Tier;
  readonly at: number;
  readonly charges: readonly Charge[];
  /** False if the store could not be asked. */
  readonly held: boolean;
}

/** Why a call that is only observed is refused, and when it may be retried. */
export interface SpentLimit {
  readonly kind: 'budget' | 'limit';
  readonly message: string;
  readonly retryAfterSeconds: number;
}

/** Whose request it is. */
type Asking = Pick<CallerContext, 'workspace' | 'trust'> & { readonly user: string | null };

/** Retry-after seconds if only in-flight requests hold the rest of a budget. */
const busySeconds = 5;

interface BudgetPlan {
  readonly kind: 'budget';
  readonly budget: Budget;
  readonly charge: Charge;
}

type Plan = BudgetPlan | RatePlan;

const nothing: Omit<Admission, 'decision'> = { facts: [], limits: [], reservation: null, refusal: null };

/**
 * Budgets in money, and rate limits. Before a request proceeds, its expected cost and usage are reserved in all of them at once; afterwards
 * the actual cost and usage replace the reservation. So a budget is overrun at most by what in-flight requests cost beyond their estimates.
 */
export class Budgets {
  readonly #options: BudgetsOptions;
  readonly #now: () => number;
  readonly #unnamed: UnnamedWorkspaces;

  constructor(options: BudgetsOptions) {
    this.#options = options;
    this.#unnamed = new UnnamedWorkspaces();
    this.#now = options.now ?? Date.now;
  }

  /** Number of separately counted workspaces that no policy names and nobody vouches for. */
  get unnamedWorkspaces(): number {
    return this.#unnamed.size;
  }

  get store(): BudgetStore {
    return this.#options.store;
  }

  /** Synchronous if the store is this process's memory. */
  admit(request: AdmitRequest): Admission | Promise<Admission> {
    const { decision, input } = request;
    // Counting tokens is free, and a refused request is not sent.
    if (
      decision.action === 'block' ||
      input.exchange.operation === 'count' ||
      (input.generation.budgets.length === 0 && input.generation.rateLimits.length === 0)
    )
      return { decision, ...nothing };
    const plans = this.#plans(request, decision, request.enforce && request.cheaper !== null ? 'before-cheaper' : 'full');
    if (plans.length === 0) return { decision, ...nothing };
    const unpriced = request.enforce ? unpricedOf(plans) : undefined;
    if (unpriced !== undefined) return this.#refuse(request, decision, unpriced, null);
    return then(this.#reserve(request, plans), (result) => {
      if (result === null || result.ok) return this.#admitted(request, decision, plans, result, null);
      const failed = plans[result.failed]!;
      return failed.kind === 'limit' ? this.#limited(decision, failed, plans, result.state) : this.#cheaper(request, failed, result.state);
    });
  }

  /** The first reservation did not fit: try a cheaper tier, then the rest of the budget, then refuse. */
  #cheaper(request: AdmitRequest, full: BudgetPlan, state: CounterState): Admission | Promise<Admission> {
    const { decision } = request;
    const { cheaper: tier = null, shape = null } = full.budget.hard ?? {};
    const moved =
      (tier === null && shape === null) || request.cheaper === null ? null : request.cheaper({ tier, shape, budget: full.budget.name });
    const next =
      moved !== null && (moved.reason === 'budget' || (moved.shape?.changes.length ?? 0) > (decision.shape?.changes.length ?? 0))
        ? moved
        : decision;
    if (moved === null) return this.#refuse(request, decision, full, state);
    const plans = this.#plans(request, next, 'full');
    const unpriced = unpricedOf(plans);
    if (unpriced !== undefined) return this.#refuse(request, decision, unpriced, null);
    return then(this.#reserve(request, plans), (result) => {
      if (result !== null && !result.ok) {
        const failed = plans[result.failed]!;
        return failed.kind === 'limit'
          ? this.#limited(decision, failed, plans, result.state)
          : this.#refuse(request, decision, failed, result.state);
      }
      if (next === decision) return this.#admitted(request, decision, plans, result, null);
      this.#options.onAction(full.budget.name, 'cheaper');
      this.#tell({ kind: 'cheaper', budget: full.budget, counter: full.charge.counter, percent: null, state }, request.input.generation);
      return this.#admitted(request, next, plans, result, factsOf(full.budget, full.charge.counter, 'cheaper', null, state));
    });
  }

  /** Replaces the reserved amounts by the actual cost. Called once per reservation. */
  settle(reservation: Reservation, record: Pick<ExchangeRecord, 'attempts' | 'workspace' | 'usage' | 'seen'>): void {
    const { generation, charges, held, id } = reservation;
    const settlements: Settlement[] = [];
    const open = new Map(charges.map((charge) => [charge.counter.id, charge]));
    for (const budget of generation.budgets) {
      // An attempt at another model counts in that model's counter.
      const spent = new Map<string, { readonly counter: Counter; nanos: NanoUsd }>();
      for (const { target, cost, status } of record.attempts) {
        const counter = this.#counter(
          budget,
          { workspace: record.workspace, countedAs: reservation.countedAs, user: reservation.user, target, tier: reservation.tier },
          reservation.at,
        );
        if (counter === null) continue;
        let entry = spent.get(counter.id);
        if (entry === undefined) spent.set(counter.id, (entry = { counter, nanos: 0 }));
        if (cost.known) {
          entry.nanos += nanoUsd(cost.usd);
        } else if (status === null || status < 400) {
          const assumed = charges.find((charge) => charge.counter.budget === budget.name)?.amount ?? budget.unknown ?? 0;
          // The seen part of a cut stream may cost more than was assumed.
          entry.nanos += Math.max(assumed, cost.atLeastUsd === undefined ? 0 : nanoUsd(cost.atLeastUsd));
          this.#options.onAction(budget.name, 'assumed');
        }
      }
      const thresholds = budget.soft.map((percent) => [percent, Math.ceil((budget.limit * percent) / 100)] as const);
      for (const { counter, nanos } of spent.values()) {
        const charge = open.get(counter.id);
        open.delete(counter.id);
        settlements.push({ counter, reserved: held ? (charge?.amount ?? 0) : 0, spent: nanos, thresholds });
      }
    }
    this.#settleLimits(reservation, record, open, settlements);
    if (held) for (const { counter, amount } of open.values()) settlements.push({ counter, reserved: amount, spent: 0, thresholds: [] });
    void then(this.#options.store.settle(id, settlements), (crossings) => this.#crossed(crossings, generation));
  }

  /** Settles rate limits in requests and tokens. A slot for a concurrent request stays in `open`, so it is released. */
  #settleLimits(
    { generation, countedAs, user, tier, at, held, charges }: Reservation,
    record: Pick<ExchangeRecord, 'attempts' | 'workspace' | 'usage' | 'seen'>,
    open: Map<string, Charge>,
    settlements: Settlement[],
  ): void {
    const last = record.attempts.at(-1);
    for (const limit of generation.rateLimits) {
      for (const measure of limit.measures) {
        if (measure.kind === 'concurrent') continue;
        const reserved = charges.find(({ counter }) => counter.budget === measure.counters)?.amount ?? 0;
        const spent = new Map<string, { readonly counter: Counter; amount: number }>();
        for (const attempt of record.attempts) {
          const of: Served = { workspace: record.workspace, countedAs, user, target: attempt.target, tier };
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

  /** Releases everything: the request was never sent. */
  release(reservation: Reservation): void {
    if (reservation.held)
      void this.#options.store.settle(
        reservation.id,
        reservation.charges.map(({ counter, amount }) => ({ counter, reserved: amount, spent: 0, thresholds: [] })),
      );
  }

  /** Releases the slots of concurrent requests; the rest waits for the settlement. */
  leave({ held, id, charges }: Reservation): void {
    const places = held ? charges.filter(({ counter }) => counter.concurrent === true) : [];
    if (places.length > 0)
      void this.#options.store.settle(
        id,
        places.map(({ counter, amount }) => ({ counter, reserved: amount, spent: 0, thresholds: [] })),
      );
  }

  /** Whether a model's own budget is used up, as far as this process knows. Null if no budget matches by model. */
  overBudget(generation: PolicyGeneration, caller: Asking): ((target: TargetRef, tier: Tier) => boolean) | null {
    const byModel = generation.budgets.filter((budget) => budget.hard !== null && (budget.models !== null || budget.per.includes('model')));
    if (byModel.length === 0) return null;
    const now = this.#now();
    const { workspace, user } = caller;
    const countedAs = this.#unnamed.countedAs(caller, generation);
    return (target, tier) =>
      byModel.some((budget) => {
        const counter = this.#counter(budget, { workspace, user, countedAs, target, tier }, now);
        const state = counter === null ? null : this.#options.store.peek(counter.id);
        return state !== null && state.spent + state.reserved >= budget.limit;
      });
  }

  /**
   * The hard budget or rate limit that has nothing left for a call whose cost cannot be estimated; null if none. One that matches by tier,
   * or by model if the model is unknown, does not apply to such a call. Uses only what this process knows; reserves nothing.
   */
  spent(generation: PolicyGeneration, caller: Asking, target: TargetRef | null): SpentLimit | null {
    const now = this.#now();
    const { workspace, user } = caller;
    const of: Served = {
      workspace,
      user,
      countedAs: this.#unnamed.countedAs(caller, generation),
      target: target ?? { provider: '', model: '' },
      tier: 'standard',
    };
    const about = ({
      tiers,
      models,
      per,
    }: {
      readonly tiers: unknown;
      readonly models: unknown;
      readonly per: readonly string[];
    }): boolean => tiers === null && !per.includes('tier') && (target !== null || (models === null && !per.includes('model')));
    const seconds = (end: number): number => Math.max(1, Math.ceil((end - now) / 1000));
    for (const budget of generation.budgets) {
      if (budget.hard === null || !about(budget)) continue;
      const counter = this.#counter(budget, of, now);
      const state = counter === null ? null : this.#options.store.peek(counter.id);
      if (counter === null || state === null || state.spent < budget.limit) continue;
      this.#options.onAction(budget.name, 'refused');
      this.#tell({ kind: 'refused', budget, counter, percent: null, state }, generation);
      const message = budget.hard.message ?? `The budget ${budget.name} is used up until ${new Date(counter.end).toISOString()}.`;
      return { kind: 'budget', message, retryAfterSeconds: seconds(counter.end) };
    }
    for (const limit of generation.rateLimits) {
      if (limit.soft || !about(limit) || !matchesServed(limit, of)) continue;
      for (const measure of limit.measures) {
        const counter = rateCounter(limit, measure, of, now);
        const state = this.#options.store.peek(counter.id);
        if (state === null || state.spent + state.reserved < measure.max) continue;
        return {
          kind: 'limit',
          message: limit.message ?? `The rate limit ${limit.name} (${rateWords(measure)}) is reached.`,
          retryAfterSeconds: measure.kind === 'concurrent' ? 1 : seconds(counter.end),
        };
      }
    }
    return null;
  }

  /** The same for rate limits. Null if none matches by model. */
  overLimit(generation: PolicyGeneration, caller: Asking): ((target: TargetRef, tier: Tier) => boolean) | null {
    const byModel = generation.rateLimits.filter((limit) => !limit.soft && (limit.models !== null || limit.per.includes('model')));
    if (byModel.length === 0) return null;
    const now = this.#now();
    const { workspace, user } = caller;
    const countedAs = this.#unnamed.countedAs(caller, generation);
    return (target, tier) => {
      const of: Served = { workspace, user, countedAs, target, tier };
      return byModel.some(
        (limit) =>
          matchesServed(limit, of) &&
          limit.measures.some((measure) => {
            const state = this.#options.store.peek(rateCounter(limit, measure, of, now).id);
            return state !== null && state.spent + state.reserved >= measure.max;
          }),
      );
    };
  }

  #crossed(crossings: readonly Crossing[], generation: PolicyGeneration): void {
    for (const { counter, percent, state } of crossings) {
      const budget = generation.budgets.find(({ name }) => name === counter.budget);
      if (budget !== undefined) this.#options.onEvent({ kind: 'threshold', budget, counter, percent, state }, generation);
    }
  }

  #reserve(request: AdmitRequest, plans: readonly Plan[]): ReserveResult | null | Promise<ReserveResult | null> {
    return this.#options.store.reserve(
      request.id,
      plans.map(({ charge }) => charge),
    );
  }

  #plans({ input, user, enforce }: AdmitRequest, decision: Decision, until: 'before-cheaper' | 'full'): Plan[] {
    const { generation, caller } = input;
    const now = this.#now();
    const of: Served = {
      workspace: caller.workspace,
      countedAs: this.#unnamed.countedAs(caller, generation),
      user,
      target: decision.served,
      tier: decision.tier,
    };
    const plans: Plan[] = generation.budgets.flatMap((budget) => {
      const counter = this.#counter(budget, of, now);
      if (counter === null) return [];
      const amount = decision.estimate.known ? nanoUsd(decision.estimate.usd) : (budget.unknown ?? (enforce ? NaN : 0));
      const ceiling =
        !enforce || budget.hard === null
          ? Infinity
          : until === 'before-cheaper' && (budget.hard.cheaper !== null || budget.hard.shape !== null)
            ? budget.hard.cheaperAt
            : budget.limit;
      return [{ kind: 'budget' as const, budget, charge: { counter, amount, ceiling } }];
    });
    if (generation.rateLimits.length > 0) plans.push(...ratePlans(generation.rateLimits, input, of, enforce, now));
    return plans;
  }

  /** Null if the budget does not apply. */
  #counter(budget: Budget, of: Served, now: number): Counter | null {
    if (!matchesServed(budget, of)) return null;
    const { start, end } = budget.calendar.at(now);
    const values = valuesFor(budget.per, of);
    return { id: counterId(budget.name, start, values), budget: budget.name, values, start, end };
  }

  #admitted(
    request: AdmitRequest,
    decision: Decision,
    plans: readonly Plan[],
    result: (ReserveResult & { readonly ok: true }) | null,
    cheaper: BudgetFacts | null,
  ): Admission {
    const facts: BudgetFacts[] = cheaper === null ? [] : [cheaper];
    const { caller, generation } = request.input;
    const countedAs = this.#unnamed.countedAs(caller, generation);
    if (countedAs === otherWorkspaces && caller.workspace !== otherWorkspaces) this.#options.onShared?.();
    const limits: LimitFacts[] = [];
    for (const [at, plan] of plans.entries()) {
      const state = result?.states[at] ?? null;
      const { charge } = plan;
      const reserved = result === null ? null : charge.amount;
      if (plan.kind === 'budget') {
        facts.push(factsOf(plan.budget, charge.counter, result === null ? 'uncounted' : 'counted', reserved, state));
        continue;
      }
      const over = state !== null && state.spent + state.reserved > plan.measure.max;
      if (over) this.#options.onLimit(plan.limit.name, plan.measure.kind, 'over');
      limits.push(limitFacts(plan, result === null ? 'uncounted' : over ? 'over' : 'counted', reserved, state));
    }
    return {
      decision,
      facts,
      limits,
      reservation: {
        id: request.id,
        generation: request.input.generation,
        countedAs,
        user: request.user,
        tier: decision.tier,
        at: this.#now(),
        charges: plans.map(({ charge }) => charge),
        held: result !== null,
      },
      refusal: null,
    };
  }

  /** A rate limit refuses; its capacity returns with the next window. */
  #limited(decision: Decision, failed: RatePlan, plans: readonly Plan[], state: CounterState): Admission {
    const { limit, measure } = failed;
    this.#options.onLimit(limit.name, measure.kind, 'refused');
    const { message, retryAfterSeconds, refusal } = limitAnswer(
      failed,
      state,
      plans.filter((plan) => plan.kind === 'limit'),
      this.#options.store,
      this.#now(),
    );
    return {
      decision: blocked(decision, 'over-limit', limit.name, { status: 429, message, retryAfterSeconds }),
      facts: [],
      limits: [limitFacts(failed, 'refused', null, state)],
      reservation: null,
      refusal,
    };
  }

  /** `state` is null if the reason is that the price is unknown, not the amount. */
  #refuse({ input }: AdmitRequest, decision: Decision, { budget, charge }: BudgetPlan, state: CounterState | null): Admission {
    const { counter } = charge;
    this.#options.onAction(budget.name, 'refused');
    this.#tell(
      {
        kind: 'refused',
        budget,
        counter,
        percent: null,
        state: state ?? this.#options.store.peek(counter.id) ?? { spent: 0, reserved: 0 },
      },
      input.generation,
    );
    const until = new Date(counter.end).toISOString();
    // In-flight requests may release part of their reservation; spent amounts return only with the next period.
    const spentUp = state === null || state.spent + charge.amount > charge.ceiling;
    const retryAfter = spentUp ? Math.max(1, Math.ceil((counter.end - this.#now()) / 1000)) : busySeconds;
    const why =
      state === null
        ? `The price of ${decision.served.model} is unknown, and the budget ${budget.name} takes no such requests.`
        : spentUp
          ? `The budget ${budget.name} is used up until ${until}.`
          : `Requests on their way hold the rest of the budget ${budget.name}.`;
    return {
      decision: blocked(decision, 'over-budget', budget.name, {
        status: 429,
        message: budget.hard?.message ?? why,
        retryAfterSeconds: retryAfter,
      }),
      facts: [factsOf(budget, counter, 'refused', null, state)],
      limits: [],
      reservation: null,
      refusal: null,
    };
  }

  #tell(event: BudgetEvent, generation: PolicyGeneration): void {
    void then(this.#options.store.mark(event.counter, event.kind), (first) => {
      if (first) this.#options.onEvent(event, generation);
    });
  }
}

/** Turns a decision into a refusal. */
function blocked(decision: Decision, reason: 'over-budget' | 'over-limit', rule: string, block: NonNullable<Decision['block']>): Decision {
  return { ...decision, action: 'block', served: decision.requested, chain: [], reason, rule, block };
}

/** The first budget that refuses requests of unknown price. */
function unpricedOf(plans: readonly Plan[]): BudgetPlan | undefined {
  return plans.find(
    (plan): plan is BudgetPlan => plan.kind === 'budget' && plan.budget.unknown === null && Number.isNaN(plan.charge.amount),
  );
}

function limitFacts(
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

function factsOf(
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

/** Continues synchronously with an available value: a promise would cost every request a turn of the event loop. */
function then<A, B>(value: A | Promise<A>, next: (value: A) => B | Promise<B>): B | Promise<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}
