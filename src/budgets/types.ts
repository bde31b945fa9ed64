import type { BudgetKey, NanoUsd } from '../policy/budget-types.ts';

/** One counter of a budget: for one period and one set of values of its `per`. */
export interface Counter {
  /** Unique; the same in every replica. */
  readonly id: string;
  readonly budget: string;
  /** Values of the budget's `per`, in its order. */
  readonly values: readonly string[];
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
  /** It counts only in-flight requests: a slot is a lease that its holder renews. If absent, false. */
  readonly concurrent?: true;
  /** How long it is kept after its period, in ms; if absent, as long as a request may take. */
  readonly keepMs?: number;
}

/** The name of a counter, the same in every replica. */
export function counterId(budget: string, start: number, values: readonly string[]): string {
  return `${budget} ${start} ${JSON.stringify(values)}`;
}

/** A counter's amounts: billionths of a dollar, or requests or tokens of a rate limit. `reserved`: for in-flight requests. */
export interface CounterState {
  readonly spent: NanoUsd;
  readonly reserved: NanoUsd;
}

export interface Charge {
  readonly counter: Counter;
  readonly amount: NanoUsd;
  /** The reservation fails above it; Infinity: never. */
  readonly ceiling: NanoUsd;
}

/** All charges were reserved, or none. `failed`: index of the first charge that did not fit. */
export type ReserveResult =
  | { readonly ok: true; readonly states: readonly CounterState[] }
  | { readonly ok: false; readonly failed: number; readonly state: CounterState };

export interface Settlement {
  readonly counter: Counter;
  /** The amount reserved for it; 0 if none. */
  readonly reserved: NanoUsd;
  readonly spent: NanoUsd;
  /** Percent and amount of the thresholds to watch. Each is reported once per period; if several are passed at once, only the highest. */
  readonly thresholds: readonly (readonly [percent: number, amount: NanoUsd])[];
}

/** A threshold that was passed for the first time in its period. */
export interface Crossing {
  readonly counter: Counter;
  readonly percent: number;
  readonly state: CounterState;
}

/** Stores counters. No method rejects or throws. */
export interface BudgetStore {
  readonly kind: 'memory' | 'redis';
  /** False while the shared counters cannot be read; this replica's view of them may then be old. */
  readonly up: boolean;
  /** Null if the store cannot be asked; the request then proceeds uncounted until it is settled. */
  reserve(id: string, charges: readonly Charge[]): ReserveResult | null | Promise<ReserveResult | null>;
  settle(id: string, settlements: readonly Settlement[]): readonly Crossing[] | Promise<readonly Crossing[]>;
  /** True for the first caller that marks the event in the counter's period. */
  mark(counter: Counter, event: string): boolean | Promise<boolean>;
  /** The locally known state, without asking the store. */
  peek(id: string): CounterState | null;
  /** This replica's counters of the current periods, as last seen. */
  seen(): Iterable<readonly [Counter, CounterState]>;
  /**
   * A budget's counters of the period that begins at `start`, or those of a limit of concurrent requests; of all replicas if they share
   * counters.
   */
  list(budget: string, start: number, concurrent?: boolean): Promise<readonly (readonly [Counter, CounterState])[]>;
  close(): Promise<void>;
}

/** One budget in a request's record. Amounts in US dollars. */
export interface BudgetFacts {
  readonly budget: string;
  /** The values that its counter is for, by key. */
  readonly of: Readonly<Partial<Record<BudgetKey, string>>>;
  /**
   * `counted`; `cheaper`: it moved the request to a cheaper tier or capped its parameters; `refused`: it stopped the request; `uncounted`:
   * its store could not be asked.
   */
  readonly action: 'counted' | 'cheaper' | 'refused' | 'uncounted';
  /** Reserved when the request was decided; null if nothing was. */
  readonly reserved: number | null;
  /** Used at that time, including in-flight requests; null if unknown. */
  readonly used: number | null;
  readonly limit: number;
}

/** The key under which a store remembers that a threshold was reported. */
export function thresholdKey(percent: number, amount: NanoUsd): string {
  return `${percent}@${amount}`;
}
