import { limits } from '../lib/limits.ts';
import {
  thresholdKey,
  type BudgetStore,
  type Charge,
  type Counter,
  type CounterState,
  type Crossing,
  type ReserveResult,
  type Settlement,
} from './types.ts';

interface Cell {
  readonly counter: Counter;
  spent: number;
  reserved: number;
  /** Thresholds and events that were already reported. */
  readonly told: Set<string>;
  /** For concurrent requests: when each slot was taken, oldest first; null if the counter holds amounts. */
  readonly places: Map<string, number> | null;
}

/** A counter as it is kept on disk. */
export interface SavedCounter extends Counter {
  readonly spent: number;
  readonly told: readonly string[];
}

/** How long a counter is kept after its period, in ms: requests that started in the period may end after it. */
const afterMs = 3_600_000;

/** Counters of one process. A reservation is made in one turn of the event loop, so that no two requests can take the same dollar. */
export class MemoryBudgetStore implements BudgetStore {
  readonly kind = 'memory';
  readonly up = true;
  readonly #cells = new Map<string, Cell>();
  readonly #now: () => number;
  #changes = 0;
  #sweptAt = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Increases with every change. */
  get changes(): number {
    return this.#changes;
  }

  reserve(id: string, charges: readonly Charge[]): ReserveResult {
    const cells = charges.map(({ counter }) => this.#cell(counter));
    for (const [at, { amount, ceiling }] of charges.entries()) {
      const { spent, reserved } = this.#free(cells[at]!);
      // Written so that NaN never fits.
      if (!(amount >= 0 && spent + reserved + amount <= ceiling)) return { ok: false, failed: at, state: { spent, reserved } };
    }
    this.#changes++;
    return {
      ok: true,
      states: charges.map(({ amount }, at) => {
        const cell = cells[at]!;
        if (cell.places === null) cell.reserved += amount;
        else cell.reserved = cell.places.set(id, this.#now()).size;
        return { spent: cell.spent, reserved: cell.reserved };
      }),
    };
  }

  settle(id: string, settlements: readonly Settlement[]): Crossing[] {
    const crossings: Crossing[] = [];
    this.#changes++;
    for (const { counter, reserved, spent, thresholds } of settlements) {
      if (counter.concurrent === true) {
        this.#leave(counter, id);
        continue;
      }
      const cell = this.#cell(counter);
      cell.reserved = Math.max(0, cell.reserved - reserved);
      cell.spent += spent;
      // Keyed by amount, because the same percentage of an edited budget is another amount. If several are passed, the highest is reported.
      let highest: number | null = null;
      for (const [percent, amount] of thresholds) {
        const key = thresholdKey(percent, amount);
        if (cell.spent < amount || cell.told.has(key)) continue;
        cell.told.add(key);
        highest = Math.max(highest ?? 0, percent);
      }
      if (highest !== null) crossings.push({ counter, percent: highest, state: { spent: cell.spent, reserved: cell.reserved } });
    }
    return crossings;
  }

  mark(counter: Counter, event: string): boolean {
    const { told } = this.#cell(counter);
    if (told.has(event)) return false;
    told.add(event);
    this.#changes++;
    return true;
  }

  peek(id: string): CounterState | null {
    const cell = this.#cells.get(id);
    return cell === undefined ? null : this.#free(cell);
  }

  *seen(): Iterable<readonly [Counter, CounterState]> {
    const now = this.#now();
    for (const cell of this.#cells.values()) if (cell.counter.end > now) yield [cell.counter, this.#free(cell)];
  }

  list(budget: string, start: number): Promise<(readonly [Counter, CounterState])[]> {
    return Promise.resolve(
      [...this.#cells.values()]
        .filter(({ counter }) => counter.budget === budget && counter.start === start)
        .map((cell) => [cell.counter, this.#free(cell)] as const),
    );
  }

  /**
   * The state for the next process. In-flight reservations count as spent, because nobody can settle them if this process ends now. Slots
   * of running requests are not included.
   */
  snapshot(): SavedCounter[] {
    return [...this.#cells.values()]
      .filter(({ places }) => places === null)
      .map(({ counter, spent, reserved, told }) => ({ ...counter, spent: spent + reserved, told: [...told] }));
  }

  restore(saved: readonly SavedCounter[]): void {
    for (const { spent, told, ...counter } of saved)
      this.#cells.set(counter.id, { counter, spent, reserved: 0, told: new Set(told), places: null });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #cell(wanted: Counter): Cell {
    const known = this.#cells.get(wanted.id);
    if (known !== undefined) return known;
    this.#sweep();
    // Callers choose user names freely: over the bound, new users share one counter of their budget for the rest of its period.
    const shared = sharedId(wanted);
    const counter =
      wanted.values.length === 0 || (this.#cells.size < limits.budgetCounters && !this.#cells.has(shared))
        ? wanted
        : { ...wanted, id: shared, values: wanted.values.map(() => 'other') };
    let cell = this.#cells.get(counter.id);
    if (cell === undefined)
      this.#cells.set(
        counter.id,
        (cell = { counter, spent: 0, reserved: 0, told: new Set(), places: counter.concurrent === true ? new Map() : null }),
      );
    return cell;
  }

  /** Frees slots whose requests were not reported as ended in time. */
  #free(cell: Cell): Cell {
    if (cell.places === null) return cell;
    const before = this.#now() - limits.slotMs;
    for (const [id, since] of cell.places) {
      if (since > before) break;
      cell.places.delete(id);
    }
    cell.reserved = cell.places.size;
    return cell;
  }

  /** A request has ended. Empty counters are deleted, since users come and go. */
  #leave(counter: Counter, id: string): void {
    for (const name of [counter.id, sharedId(counter)]) {
      const cell = this.#cells.get(name);
      if (cell?.places?.delete(id) !== true) continue;
      cell.reserved = cell.places.size;
      if (cell.reserved === 0) this.#cells.delete(name);
    }
  }

  /** Deletes expired counters, at most once a minute. */
  #sweep(): void {
    const now = this.#now();
    if (now - this.#sweptAt < 60_000) return;
    this.#sweptAt = now;
    for (const [id, { counter }] of this.#cells) if (counter.end + (counter.keepMs ?? afterMs) < now) this.#cells.delete(id);
  }
}

/** The shared counter for values over the bound. */
function sharedId({ budget, start }: Counter): string {
  return `${budget} ${start} other`;
}
