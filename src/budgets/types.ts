import type { BudgetKey, NanoUsd } from '../policy/budget-types.ts';

/** One counter of a budget: of one period, and of one set of values where the budget keeps some apart. */
export interface Counter {
  /** Unique; the same in every replica. */
  readonly id: string;
  readonly budget: string;
  /** Values of the budget's `per`, in its order. */
  readonly values: readonly string[];
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
  /** It holds what is on its way and nothing else: a place in it is a lease, which its holder renews. Absent: false. */
  readonly concurrent?: true;
  /** How long it outlives its period, in ms; absent: for as long as a request may take. */
  readonly keepMs?: number;
}

/** The name of a counter, the same in every replica. */
export function counterId(budget: string, start: number, values: readonly string[]): string {
  return `${budget} ${start} ${JSON.stringify(values)}`;
}

/** What a counter holds: billionths of a dollar, or requests or tokens of a rate limit. `reserved`: for requests that are on their way. */
export interface CounterState {
  readonly spent: NanoUsd;
  readonly reserved: NanoUsd;
}

export interface Charge {
  readonly counter: Counter;
  readonly amount: NanoUsd;
  /** Beyond it the reservation fails; Infinity: never. */
  readonly ceiling: NanoUsd;
}

/** All charges or none. `failed`: index of the first charge that did not fit. */
export type ReserveResult =
  | { readonly ok: true; readonly states: readonly CounterState[] }
  | { readonly ok: false; readonly failed: number; readonly state: CounterState };

export interface Settlement {
  readonly counter: Counter;
  /** What was reserved for it; 0: nothing. */
  readonly reserved: NanoUsd;
  readonly spent: NanoUsd;
  /** Percent and amount of the thresholds to watch. Each is told once a period; of several that are passed at once, the highest. */
  readonly thresholds: readonly (readonly [percent: number, amount: NanoUsd])[];
}

/** A threshold that was passed for the first time in its period. */
export interface Crossing {
  readonly counter: Counter;
  readonly percent: number;
  readonly state: CounterState;
}

/** Where counters are. No method rejects or throws. */
export interface BudgetStore {
  readonly kind: 'memory' | 'redis';
  /** False while the shared counters cannot be asked: what this replica has seen of them may be old. */
  readonly up: boolean;
  /** Null: the store cannot be asked; the request goes on uncounted until it is settled. */
  reserve(id: string, charges: readonly Charge[]): ReserveResult | null | Promise<ReserveResult | null>;
  settle(id: string, settlements: readonly Settlement[]): readonly Crossing[] | Promise<readonly Crossing[]>;
  /** True for the first that says so in the counter's period. */
  mark(counter: Counter, event: string): boolean | Promise<boolean>;
  /** What is known here and now, without asking anybody. */
  peek(id: string): CounterState | null;
  /** The counters of this replica's present periods, as last seen. */
  seen(): Iterable<readonly [Counter, CounterState]>;
  /** A budget's counters of the period that begins at `start`, or those of a limit of concurrent requests; of all replicas, where they share. */
  list(budget: string, start: number, concurrent?: boolean): Promise<readonly (readonly [Counter, CounterState])[]>;
  close(): Promise<void>;
}

/** What a request's record says of one budget. Amounts in US dollars. */
export interface BudgetFacts {
  readonly budget: string;
  /** The values that it is kept for, by key. */
  readonly of: Readonly<Partial<Record<BudgetKey, string>>>;
  /** `counted`; `cheaper`: it made the request go to a cheaper tier, or capped what it asks for; `refused`: it stopped it; `uncounted`: its store could not be asked. */
  readonly action: 'counted' | 'cheaper' | 'refused' | 'uncounted';
  /** Set aside when the request was decided; null: nothing was. */
  readonly reserved: number | null;
  /** Used of it then, requests on their way included; null: not known. */
  readonly used: number | null;
  readonly limit: number;
}

/** Under which a store remembers that a threshold was told. */
export function thresholdKey(percent: number, amount: NanoUsd): string {
  return `${percent}@${amount}`;
}
