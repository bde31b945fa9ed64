import { limits } from '../limits.ts';
import type { CacheControls } from './controls.ts';
import { Fill, type FillEnding, type FillOwner, type FillRequest, type StoreResult } from './fill.ts';
import { Flight } from './flight.ts';
import { MemoryStore, type MemoryStats } from './memory.ts';
import { Outages } from './outages.ts';
import { renderAnswer, type Rendered } from './replay/index.ts';
import type { CacheEntry, PurgeFilter, WantedForm } from './types.ts';

export interface CacheQuery extends FillRequest {
  readonly controls: CacheControls;
  readonly wanted: WantedForm;
}

export type HitState = 'hit' | 'stale' | 'coalesced';

export type CacheHit = {
  readonly kind: 'hit';
  readonly state: HitState;
  readonly entry: CacheEntry;
  readonly rendered: Rendered;
  /** Whole seconds since it was stored. */
  readonly age: number;
};

export type Lookup =
  | CacheHit
  /** Ask the provider; `fill` takes the answer, null: nothing is to be kept. */
  | { readonly kind: 'miss'; readonly state: 'miss' | 'bypass'; readonly fill: Fill | null }
  /** The caller wanted a cached answer or none. */
  | { readonly kind: 'unsatisfied' };

/** The answer of a lookup that has to wait, for at most `ms`. */
export interface PendingLookup {
  readonly kind: 'pending';
  readonly ms: number;
  /** Never rejects. */
  readonly result: Promise<Lookup>;
  /** Whoever asked has gone: the result comes soon and is for nobody. */
  readonly leave: () => void;
}

export interface CacheOptions {
  readonly memoryBytes: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Told what became of each answer that was offered. */
  readonly onStore?: (result: StoreResult) => void;
}

export interface CacheStats extends MemoryStats {
  /** Requests under way whose answer others may wait for. */
  readonly flights: number;
  readonly waiting: number;
  /** Bytes of answers that are being collected. */
  readonly collecting: number;
}

/** How often entries whose time is over are let go, in ms. */
const sweepMs = 60_000;

/**
 * Answers by the hash of their request. A request that finds none leads: its answer is kept when it was good, and identical
 * requests that come meanwhile wait for it.
 */
export class ResponseCache implements FillOwner {
  readonly #memory: MemoryStore;
  readonly #flights = new Map<string, { readonly flight: Flight; readonly leader: Fill; readonly since: number }>();
  readonly #outages = new Outages();
  readonly #now: () => number;
  readonly #onStore: (result: StoreResult) => void;
  readonly #sweeper: NodeJS.Timeout;
  #collecting = 0;
  #waiting = 0;

  constructor(options: CacheOptions) {
    this.#now = options.now ?? Date.now;
    this.#onStore = options.onStore ?? (() => undefined);
    this.#memory = new MemoryStore(options.memoryBytes, this.#now);
    this.#sweeper = setInterval(() => this.#memory.sweep(), sweepMs);
    this.#sweeper.unref();
  }

  /** Looks an answer up. What is in memory is given at once. */
  lookup(query: CacheQuery): Lookup | PendingLookup {
    const { controls, settings } = query;
    if (controls.noStore) return { kind: 'miss', state: 'bypass', fill: null };
    if (controls.noCache) return { kind: 'miss', state: 'bypass', fill: this.#fill(query) };
    const found = this.#memory.get(query.key);
    const running = this.#running(query);
    const hit = found === undefined ? null : this.#serve(found, query, 'hit', running !== undefined);
    if (hit !== null) return hit;
    if (controls.onlyIfCached) return { kind: 'unsatisfied' };
    if (running === undefined) return this.#lead(query);
    if (settings.coalesce === 0 || this.#waiting >= limits.cacheWaiting) return this.#alone(query);
    return this.#follow(running.flight, query);
  }

  now(): number {
    return this.#now();
  }

  reserve(bytes: number): boolean {
    if (this.#collecting + bytes > limits.cacheCollectingBytes) return false;
    this.#collecting += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#collecting -= bytes;
  }

  settled(fill: Fill, entry: CacheEntry | null, result: StoreResult, ending: FillEnding | null): void {
    this.#onStore(result);
    if (ending !== null) this.#noteHealth(ending);
    if (entry !== null) this.#memory.set(entry);
    const running = this.#flights.get(fill.request.key);
    if (running?.leader !== fill) return;
    this.#flights.delete(fill.request.key);
    running.flight.settle(entry);
  }

  /** Removes entries; resolves with how many. */
  purge(filter: PurgeFilter): number {
    return this.#memory.purge(filter, this.#now());
  }

  /** The entry whose key begins so; null when none or more than one does. */
  find(id: string): CacheEntry | null {
    return this.#memory.find(id);
  }

  stats(): CacheStats {
    return { ...this.#memory.stats(), flights: this.#flights.size, waiting: this.#waiting, collecting: this.#collecting };
  }

  /** Lets everybody who waits go on alone. */
  close(): void {
    clearInterval(this.#sweeper);
    for (const { flight } of this.#flights.values()) flight.settle(null);
    this.#flights.clear();
  }

  /** A leader that takes longer than anybody would wait leads no longer. */
  #running({ key, settings }: CacheQuery): { readonly flight: Flight } | undefined {
    const running = this.#flights.get(key);
    if (running === undefined || this.#now() - running.since < Math.max(1, settings.coalesce) * 1_000) return running;
    this.#flights.delete(key);
    running.flight.settle(null);
    return undefined;
  }

  #fill(query: CacheQuery): Fill {
    return new Fill(this, query);
  }

  #alone(query: CacheQuery): Lookup {
    return { kind: 'miss', state: 'miss', fill: this.#fill(query) };
  }

  #lead(query: CacheQuery): Lookup {
    const fill = this.#fill(query);
    this.#flights.set(query.key, { flight: new Flight(), leader: fill, since: this.#now() });
    return { kind: 'miss', state: 'miss', fill };
  }

  #follow(flight: Flight, query: CacheQuery): PendingLookup {
    const ms = query.settings.coalesce * 1_000;
    const { entry, leave } = flight.wait(ms);
    this.#waiting++;
    const result = entry.then((found): Lookup => {
      this.#waiting--;
      const held = found ?? this.#memory.get(query.key);
      const hit = held === undefined ? null : this.#serve(held, query, 'coalesced', false);
      return hit ?? this.#alone(query);
    });
    return { kind: 'pending', ms, result, leave };
  }

  /** Null when it is too old for this caller, or cannot be written in the form that it wants. */
  #serve(entry: CacheEntry, query: CacheQuery, state: HitState, refreshing: boolean): CacheHit | null {
    const ageMs = Math.max(0, this.#now() - entry.storedAt);
    const { maxAge } = query.controls;
    if (maxAge !== null && ageMs > maxAge * 1_000) return null;
    const fresh = ageMs < entry.ttlMs;
    if (!fresh && !this.#mayServeStale(entry, query, ageMs, refreshing)) return null;
    const rendered = renderAnswer(entry, query.wanted);
    return rendered === null ? null : { kind: 'hit', state: fresh ? state : 'stale', entry, rendered, age: Math.floor(ageMs / 1_000) };
  }

  #mayServeStale(entry: CacheEntry, { settings }: CacheQuery, ageMs: number, refreshing: boolean): boolean {
    const past = ageMs - entry.ttlMs;
    if (refreshing && past < settings.staleWhileRevalidate * 1_000) return true;
    return past < settings.staleIfError * 1_000 && this.#outages.down(entry.provider, this.#now());
  }

  #noteHealth({ outcome, status, provider }: FillEnding): void {
    if (outcome === 'complete') this.#outages.note(provider, false, this.#now());
    else if (outcome === 'cut' || (outcome === 'provider-error' && (status === null || status === 200 || status === 429 || status >= 500))) this.#outages.note(provider, true, this.#now());
  }
}
