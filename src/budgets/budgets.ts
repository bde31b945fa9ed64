import type { Tier } from '../classify/types.ts';
import type { CallerContext, PolicySnapshot, TargetRef } from '../policy/types.ts';
import type { BudgetStep, DecideInput, Decision } from '../route/types.ts';
import { callPlans, callSettlement, fitting, spentAnswer, type CallPlan, type ObservedUnits, type SpentLimit } from './calls.ts';
import { factsOf, limitFacts } from './facts.ts';
import { budgetCounter, budgetPlans, type BudgetPlan } from './budget-charges.ts';
import { matchesServed, type Served } from './match.ts';
import { rateCounter, ratePlans, type RatePlan } from './rate-charges.ts';
import type { Reservation } from './reservation.ts';
import { settlementsOf, type EndedRequest } from './settlement.ts';
import { limitAnswer } from './rate-refusal.ts';
import type { LimitFacts, LimitRefusal } from './rate-types.ts';
import type { RateKind } from '../policy/rate-types.ts';
import { otherWorkspaces, UnnamedWorkspaces } from './unnamed.ts';
import { type BudgetFacts, type BudgetStore, type Counter, type CounterState, type Crossing, type ReserveResult } from './types.ts';
import { nanoUsd, type Budget } from '../policy/budget-types.ts';

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
  readonly onEvent: (event: BudgetEvent, generation: PolicySnapshot) => void;
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
export interface BudgetAdmission {
  readonly decision: Decision;
  readonly facts: readonly BudgetFacts[];
  readonly limits: readonly LimitFacts[];
  readonly reservation: Reservation | null;
  /** Details for the answer if a rate limit refused the request, else null. */
  readonly refusal: LimitRefusal | null;
}

/** A call that Sluice only observes. */
export interface CallRequest extends ObservedUnits {
  readonly id: string;
  readonly generation: PolicySnapshot;
  readonly caller: Asking;
  /** Null if its model is unknown. */
  readonly target: TargetRef | null;
  /** If false, it is counted and never refused. */
  readonly enforce: boolean;
}

/** How budgets and rate limits decided on such a call. */
export interface CallAdmission {
  /** Null if it may proceed. */
  readonly refused: SpentLimit | null;
  /** Null if nothing applies to it. */
  readonly reservation: Reservation | null;
  readonly facts: readonly BudgetFacts[];
  readonly limits: readonly LimitFacts[];
}

const uncountedCall: CallAdmission = { refused: null, reservation: null, facts: [], limits: [] };

/** Whose request it is. */
type Asking = Pick<CallerContext, 'workspace' | 'trust'> & { readonly user: string | null };

/** Retry-after seconds if only in-flight requests hold the rest of a budget. */
const busySeconds = 5;

type Plan = BudgetPlan | RatePlan;

const nothing: Omit<BudgetAdmission, 'decision'> = { facts: [], limits: [], reservation: null, refusal: null };

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
  admit(request: AdmitRequest): BudgetAdmission | Promise<BudgetAdmission> {
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
  #cheaper(request: AdmitRequest, full: BudgetPlan, state: CounterState): BudgetAdmission | Promise<BudgetAdmission> {
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
  settle(reservation: Reservation, record: EndedRequest): void {
    if (reservation.call !== undefined) {
      this.#settleCall(reservation, reservation.call, record);
      return;
    }
    const { settlements, assumed } = settlementsOf(reservation, record);
    for (const budget of assumed) this.#options.onAction(budget, 'assumed');
    void then(this.#options.store.settle(reservation.id, settlements), (crossings) => this.#crossed(crossings, reservation.generation));
  }

  #settleCall(reservation: Reservation, plans: readonly CallPlan[], record: EndedRequest): void {
    void then(reservation.asked ?? null, () => {
      const settlements = plans.map((plan) => callSettlement(plan, record, reservation.held));
      for (const [at, plan] of plans.entries())
        if (plan.kind === 'budget' && !record.cost.known && (settlements[at]?.spent ?? 0) > 0)
          this.#options.onAction(plan.budget.name, 'assumed');
      return then(this.#options.store.settle(reservation.id, settlements), (crossings) => this.#crossed(crossings, reservation.generation));
    });
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
  leave(reservation: Reservation): void {
    const { held, id, charges } = reservation;
    const places = held ? charges.filter(({ counter }) => counter.concurrent === true) : [];
    if (places.length > 0)
      void this.#options.store.settle(
        id,
        places.map(({ counter, amount }) => ({ counter, reserved: amount, spent: 0, thresholds: [] })),
      );
  }

  /** Whether a model's own budget is used up, as far as this process knows. Null if no budget matches by model. */
  overBudget(generation: PolicySnapshot, caller: Asking): ((target: TargetRef, tier: Tier) => boolean) | null {
    const byModel = generation.budgets.filter((budget) => budget.hard !== null && (budget.models !== null || budget.per.includes('model')));
    if (byModel.length === 0) return null;
    const now = this.#now();
    const { workspace, user } = caller;
    const countedAs = this.#unnamed.countedAs(caller, generation);
    return (target, tier) =>
      byModel.some((budget) => {
        const counter = budgetCounter(budget, { workspace, user, countedAs, target, tier }, now);
        const state = counter === null ? null : this.#options.store.peek(counter.id);
        return state !== null && state.spent + state.reserved >= budget.limit;
      });
  }

  /**
   * Counts a call that Sluice only observes, in all budgets and rate limits that can apply to it: one that matches by tier, or by model if
   * the model is unknown, cannot. Its tokens and cost are unknown and count as the policy says. Exact in memory; a shared store is told
   * without waiting, so calls are refused by what this process saw last.
   */
  admitCall(request: CallRequest): CallAdmission {
    const { generation, caller, enforce } = request;
    if (generation.budgets.length === 0 && generation.rateLimits.length === 0) return uncountedCall;
    const { workspace, user } = caller;
    const countedAs = this.#unnamed.countedAs(caller, generation);
    const target = request.target ?? { provider: '', model: '' };
    const of: Served = { workspace, user, countedAs, target, tier: 'standard' };
    const plans = callPlans(generation, of, { ...request, counter: (budget, now) => budgetCounter(budget, of, now) }, this.#now());
    if (plans.length === 0) return uncountedCall;
    const { store } = this.#options;
    const charges = plans.map(({ charge }) => charge);
    const failed = fitting(store, request.id, charges);
    if (!failed.ok) return this.#refusedCall(plans[failed.failed]!, plans, failed.state, generation);
    const reservation: Reservation = {
      id: request.id,
      generation,
      countedAs,
      user,
      tier: 'standard',
      at: this.#now(),
      charges,
      held: failed.asked === null,
      call: plans,
    };
    if (failed.asked !== null)
      reservation.asked = failed.asked.then((result) => {
        reservation.held = result !== null;
      });
    if (enforce && countedAs === otherWorkspaces && workspace !== otherWorkspaces) this.#options.onShared?.();
    const facts = this.#factsOf(plans, failed.asked === null ? failed.states : null, failed.asked === null ? null : 'counted');
    return { refused: null, reservation, ...facts };
  }

  #refusedCall(plan: CallPlan, plans: readonly CallPlan[], state: CounterState, generation: PolicySnapshot): CallAdmission {
    const { store } = this.#options;
    const now = this.#now();
    if (plan.kind === 'budget') {
      const { budget, charge } = plan;
      this.#options.onAction(budget.name, 'refused');
      this.#tell({ kind: 'refused', budget, counter: charge.counter, percent: null, state }, generation);
      const facts = [factsOf(budget, charge.counter, 'refused', null, state)];
      return { refused: spentAnswer(plan, state, plans, store, now), reservation: null, facts, limits: [] };
    }
    this.#options.onLimit(plan.limit.name, plan.measure.kind, 'refused');
    const limits = [limitFacts(plan, 'refused', null, state)];
    return { refused: spentAnswer(plan, state, plans, store, now), reservation: null, facts: [], limits };
  }

  /** The same for rate limits. Null if none matches by model. */
  overLimit(generation: PolicySnapshot, caller: Asking): ((target: TargetRef, tier: Tier) => boolean) | null {
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

  #crossed(crossings: readonly Crossing[], generation: PolicySnapshot): void {
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
    const plans: Plan[] = budgetPlans(generation.budgets, of, now, {
      amount: ({ unknown }) => (decision.estimate.known ? nanoUsd(decision.estimate.usd) : (unknown ?? (enforce ? NaN : 0))),
      ceiling: ({ hard, limit }) => {
        if (!enforce || hard === null) return Infinity;
        return until === 'before-cheaper' && (hard.cheaper !== null || hard.shape !== null) ? hard.cheaperAt : limit;
      },
    });
    if (generation.rateLimits.length > 0) plans.push(...ratePlans(generation.rateLimits, input, of, enforce, now));
    return plans;
  }

  #admitted(
    request: AdmitRequest,
    decision: Decision,
    plans: readonly Plan[],
    result: (ReserveResult & { readonly ok: true }) | null,
    cheaper: BudgetFacts | null,
  ): BudgetAdmission {
    const facts: BudgetFacts[] = cheaper === null ? [] : [cheaper];
    const { caller, generation } = request.input;
    const countedAs = this.#unnamed.countedAs(caller, generation);
    if (countedAs === otherWorkspaces && caller.workspace !== otherWorkspaces) this.#options.onShared?.();
    const counted = this.#factsOf(plans, result?.states ?? null, null);
    facts.push(...counted.facts);
    const { limits } = counted;
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

  /** `states`: null if the store could not be asked, or with `as` was not waited for. */
  #factsOf(
    plans: readonly Plan[],
    states: readonly CounterState[] | null,
    as: 'counted' | null,
  ): { readonly facts: readonly BudgetFacts[]; readonly limits: readonly LimitFacts[] } {
    const facts: BudgetFacts[] = [];
    const limits: LimitFacts[] = [];
    for (const [at, plan] of plans.entries()) {
      const state = states?.[at] ?? null;
      const { charge } = plan;
      const counted = states !== null || as !== null;
      const reserved = counted ? charge.amount : null;
      if (plan.kind === 'budget') {
        facts.push(factsOf(plan.budget, charge.counter, counted ? 'counted' : 'uncounted', reserved, state));
        continue;
      }
      const over = state !== null && state.spent + state.reserved > plan.measure.max;
      if (over) this.#options.onLimit(plan.limit.name, plan.measure.kind, 'over');
      limits.push(limitFacts(plan, over ? 'over' : counted ? 'counted' : 'uncounted', reserved, state));
    }
    return { facts, limits };
  }

  /** A rate limit refuses; its capacity returns with the next window. */
  #limited(decision: Decision, failed: RatePlan, plans: readonly Plan[], state: CounterState): BudgetAdmission {
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
  #refuse({ input }: AdmitRequest, decision: Decision, { budget, charge }: BudgetPlan, state: CounterState | null): BudgetAdmission {
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

  #tell(event: BudgetEvent, generation: PolicySnapshot): void {
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

/** Continues synchronously with an available value: a promise would cost every request a turn of the event loop. */
function then<A, B>(value: A | Promise<A>, next: (value: A) => B | Promise<B>): B | Promise<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}
