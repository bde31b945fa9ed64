import type { Fill } from './fill.ts';
import type { CacheEntry } from './types.ts';

/** `lead`: this request asks the provider now, and the others wait for it. Null: it continues on its own. */
type Landing = CacheEntry | 'lead' | null;

/** A request in flight to its provider, and the identical ones that wait for its answer, the oldest first. */
export class Flight {
  readonly leader: Fill;
  readonly since: number;
  readonly #waiting: Set<(landing: Landing) => void>;
  /** Runs while others wait: they rely on a leader without a sign of life only for so long. */
  #watch: NodeJS.Timeout | null = null;

  /** `before`: the flight whose waiting requests now wait for this one. */
  constructor(leader: Fill, since: number, before: Flight | null) {
    this.leader = leader;
    this.since = since;
    this.#waiting = before?.end() ?? new Set();
  }

  /** Resolves with the leader's answer, with `lead`, or with null if the leader fails, after `ms`, or when `leave` is called. Never rejects. */
  wait(ms: number): { readonly landing: Promise<Landing>; readonly leave: () => void } {
    let leave = (): void => undefined;
    const waiting = this.#waiting;
    const landing = new Promise<Landing>((resolve) => {
      const settle = (found: Landing): void => {
        clearTimeout(timer);
        waiting.delete(settle);
        resolve(found);
      };
      const timer = setTimeout(() => settle(null), ms);
      waiting.add(settle);
      leave = () => settle(null);
    });
    return { landing, leave };
  }

  watch(now: number): void {
    if (this.#waiting.size === 0) return;
    this.#watch ??= setTimeout(() => this.leader.doubt(), Math.max(0, this.since + this.leader.patienceMs - now)).unref();
  }

  /** Notifies all waiting requests; on null they proceed on their own. */
  settle(entry: CacheEntry | null): void {
    for (const settle of [...this.end()]) settle(entry);
  }

  /** The request that has waited longest asks in the leader's place; false if none waits. */
  passLead(): boolean {
    const [oldest] = this.end();
    oldest?.('lead');
    return oldest !== undefined;
  }

  /** Returns those that wait: they do not rely on this leader any more. */
  end(): Set<(landing: Landing) => void> {
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#watch = null;
    return this.#waiting;
  }
}

/** The flights of one process, by the key of their request. */
export class Flights {
  readonly #flights = new Map<string, Flight>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#flights.size;
  }

  /** The flight for this key. A leader that takes longer than the longest wait (`mostMs`) loses the lead. */
  of(key: string, mostMs: number): Flight | undefined {
    const flight = this.#flights.get(key);
    if (flight === undefined || this.#now() - flight.since < mostMs) return flight;
    this.land(key, null);
    return undefined;
  }

  /** The flight that this request leads; undefined if it leads none. */
  ledBy(leader: Fill): Flight | undefined {
    const flight = this.#flights.get(leader.request.key);
    return flight?.leader === leader ? flight : undefined;
  }

  /** From now on this request leads: those that wait already wait for its answer. */
  lead(leader: Fill): void {
    const { key } = leader.request;
    const flight = new Flight(leader, this.#now(), this.#flights.get(key) ?? null);
    this.#flights.set(key, flight);
    flight.watch(this.#now());
  }

  follow(flight: Flight, ms: number): ReturnType<Flight['wait']> {
    const waits = flight.wait(ms);
    flight.watch(this.#now());
    return waits;
  }

  /** The flight is over. */
  land(key: string, entry: CacheEntry | null): void {
    const flight = this.#flights.get(key);
    this.#flights.delete(key);
    flight?.settle(entry);
  }

  close(): void {
    for (const key of [...this.#flights.keys()]) this.land(key, null);
  }
}
