import type { Later } from '../lib/later.ts';
import { limits } from '../lib/limits.ts';
import type { CacheControls } from './controls.ts';
import { Fill, type FillEnding, type FillOwner, type FillRequest, type StoreResult } from './fill.ts';
import { Flights, type Flight } from './flight.ts';
import { MemoryStore, type MemoryStats } from './memory.ts';
import { Outages } from './outages.ts';
import type { RemoteAnswer, RemoteStore } from './remote.ts';
import { renderAnswer, type Rendered } from '../apis/replay.ts';
import type { CacheEntry, PurgeFilter } from './types.ts';
import type { WantedForm } from '../apis/answer-forms.ts';

export interface CacheQuery extends FillRequest {
  readonly controls: CacheControls;
  readonly wanted: WantedForm;
}

/** `semantic`: the answer to another question with the same meaning. */
export type HitState = 'hit' | 'stale' | 'coalesced' | 'semantic';

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
  /** Ask the provider; `fill` stores the answer, null if nothing is to be stored. */
  | {
      readonly kind: 'miss';
      readonly state: 'miss' | 'bypass';
      readonly fill: Fill | null;
      /** An old answer that may serve if the provider fails. */ readonly rescue: CacheHit | null;
    }
  /** The caller accepts only a cached answer, and there is none. */
  | { readonly kind: 'unsatisfied' };

/**
 * A lookup in progress: either a backend is being asked (`ms` 0: this takes some milliseconds, and may find that another replica must be
 * waited for), or it waits for an identical request for at most `ms`. Its result never rejects.
 */
export interface PendingLookup extends Later<Lookup> {
  readonly result: Promise<Lookup | PendingLookup>;
  /** The caller has gone: the result resolves soon and is discarded. */
  readonly leave: () => void;
}

export interface CacheOptions {
  readonly memoryBytes: number;
  /** A shared cache behind the memory; it reports its purges with `forget`. */
  readonly remote?: RemoteStore | null;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Called with the result for each answer that was offered. */
  readonly onStore?: (result: StoreResult) => void;
}

export interface CacheStats extends MemoryStats {
  /** In-flight requests whose answer others may wait for. */
  readonly flights: number;
  readonly waiting: number;
  /** Bytes of answers being collected. */
  readonly collecting: number;
  /** Whether the Redis behind the memory answers. */
  readonly redis: 'none' | 'up' | 'down';
}

/** First and longest poll interval for another replica's answer, in ms. */
const firstPollMs = 25;
const lastPollMs = 250;

/** Interval at which expired entries are removed, in ms. */
const sweepMs = 60_000;

/**
 * Stores answers by the hash of their request. A request that finds none becomes the leader: its answer is stored if it was good, and
 * identical requests that arrive meanwhile wait for it.
 */
export class ResponseCache implements FillOwner {
  readonly #memory: MemoryStore;
  readonly #flights: Flights;
  readonly #outages = new Outages();
  readonly #now: () => number;
  readonly #onStore: (result: StoreResult) => void;
  readonly #remote: RemoteStore | null;
  readonly #sweeper: NodeJS.Timeout;
  #collecting = 0;
  #waiting = 0;

  constructor(options: CacheOptions) {
    this.#now = options.now ?? Date.now;
    this.#remote = options.remote ?? null;
    this.#onStore = options.onStore ?? (() => undefined);
    this.#flights = new Flights(this.#now);
    this.#memory = new MemoryStore(options.memoryBytes, this.#now);
    this.#sweeper = setInterval(() => this.#memory.sweep(), sweepMs);
    this.#sweeper.unref();
  }

  /**
   * Looks up an answer. An answer in memory is returned synchronously. `nearOf` returns the request's `near` and is called only if there is
   * no answer to exactly this request; null if there is no semantic cache.
   */
  lookup(query: CacheQuery, nearOf: (() => string | null) | null = null): Lookup | PendingLookup {
    const { controls, settings } = query;
    if (controls.noStore) return { kind: 'miss', state: 'bypass', fill: null, rescue: null };
    if (controls.noCache) return { kind: 'miss', state: 'bypass', fill: new Fill(this, query, nearOf?.() ?? null), rescue: null };
    const found = this.#memory.get(query.key);
    const running = this.#running(query);
    const hit = found === undefined ? null : this.#serve(found, query, 'hit', running !== undefined);
    if (hit !== null) return hit;
    const near = nearOf?.() ?? null;
    if (running === undefined && this.#remote?.up === true) return this.#askRemote(query, near, this.#remote);
    const akin = this.#serveNear(query, near);
    if (akin !== null) return akin;
    if (controls.onlyIfCached) return { kind: 'unsatisfied' };
    if (running === undefined) return this.#lead(query, near, found);
    if (settings.coalesce === 0 || this.#waiting >= limits.cacheWaiting) return this.#alone(query, near);
    return this.#follow(running, query, near);
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
    if (entry !== null) {
      this.#memory.set(entry);
      this.#remote?.store(entry);
    }
    const led = this.#flights.ledBy(fill);
    if (entry !== null) this.#flights.land(fill.request.key, entry);
    // A request that was never answered says nothing about the provider: another one asks, and the rest waits for that.
    else if (led !== undefined && (result !== 'abandoned' || !led.passLead())) this.#release(fill.request.key);
  }

  doubted(fill: Fill): void {
    const led = this.#flights.ledBy(fill);
    if (led !== undefined && !led.passLead()) this.#release(fill.request.key);
  }

  /** Nobody leads: whoever waits, here or in another replica, continues alone. */
  #release(key: string): void {
    this.#flights.land(key, null);
    this.#remote?.release(key);
  }

  /** Removes entries in memory and in the backend; resolves with the number in each. */
  async purge(filter: PurgeFilter): Promise<{ readonly memory: number; readonly redis: number | null }> {
    const redis = this.#remote === null ? null : await this.#remote.purge(filter);
    return { memory: this.forget(filter), redis };
  }

  /** Removes entries from this process's memory; returns the number. */
  forget(filter: PurgeFilter): number {
    return this.#memory.purge(filter, this.#now());
  }

  /** The entry whose key has this prefix; null if none or more than one has. */
  async find(id: string): Promise<CacheEntry | null> {
    return this.#memory.find(id) ?? (await this.#remote?.find(id)) ?? null;
  }

  stats(): CacheStats {
    return {
      ...this.#memory.stats(),
      redis: this.#remote === null ? 'none' : this.#remote.up ? 'up' : 'down',
      flights: this.#flights.size,
      waiting: this.#waiting,
      collecting: this.#collecting,
    };
  }

  /** Makes all waiting requests proceed on their own. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#flights.close();
    this.#remote?.close();
  }

  #running({ key, settings }: CacheQuery): Flight | undefined {
    return this.#flights.of(key, Math.max(1, settings.coalesce) * 1_000);
  }

  #alone(query: CacheQuery, near: string | null): Lookup {
    return { kind: 'miss', state: 'miss', fill: new Fill(this, query, near), rescue: this.#rescue(query, this.#memory.get(query.key)) };
  }

  #lead(query: CacheQuery, near: string | null, old: CacheEntry | undefined): Lookup {
    const fill = new Fill(this, query, near);
    this.#flights.lead(fill);
    return { kind: 'miss', state: 'miss', fill, rescue: this.#rescue(query, old) };
  }

  /** An expired entry as a fallback for a failing provider. */
  #rescue(query: CacheQuery, old: CacheEntry | null | undefined): CacheHit | null {
    if (old === null || old === undefined) return null;
    const ageMs = this.#now() - old.storedAt;
    const { maxAge } = query.controls;
    if (ageMs >= old.ttlMs + query.settings.staleIfError * 1_000 || (maxAge !== null && ageMs > maxAge * 1_000)) return null;
    const rendered = renderAnswer(old, query.wanted, query.settings.usage);
    return rendered === null ? null : { kind: 'hit', state: 'stale', entry: old, rendered, age: Math.floor(ageMs / 1_000) };
  }

  /** Asks the shared cache. Meanwhile, identical requests in this process wait for this one. On a miss it becomes the leader. */
  #askRemote(query: CacheQuery, near: string | null, remote: RemoteStore): PendingLookup {
    const { onlyIfCached } = query.controls;
    const fill = new Fill(this, query, near);
    if (!onlyIfCached) this.#flights.lead(fill);
    const leadMs = onlyIfCached ? 0 : query.settings.coalesce * 1_000;
    const state = { left: false };
    const leave = (): void => {
      state.left = true;
    };
    const result = remote.lookup(query.key, leadMs).then((answer): Lookup | PendingLookup | Promise<Lookup> => {
      if (answer.kind !== 'led') {
        const found = this.#fromRemote(answer, query, fill, 'hit');
        return found.kind === 'hit' || near === null ? found : this.#fromNear(query, near, remote, fill, found);
      }
      return { kind: 'later', ms: leadMs, leave, result: this.#poll(query, remote, fill, state) };
    });
    return { kind: 'later', ms: 0, leave, result };
  }

  /** Polls while another replica fetches the answer. If that one fails or takes too long, this one leads. */
  async #poll(query: CacheQuery, remote: RemoteStore, fill: Fill, state: { readonly left: boolean }): Promise<Lookup> {
    const leadMs = query.settings.coalesce * 1_000;
    // Whether the other replica is alive is not known.
    const deadline = this.#now() + Math.min(leadMs, limits.cacheSilentMs);
    this.#waiting++;
    try {
      for (let pause = firstPollMs; this.#now() < deadline && !state.left; pause = Math.min(lastPollMs, pause * 1.5)) {
        await new Promise((resolve) => setTimeout(resolve, pause));
        const answer = await remote.lookup(query.key, leadMs);
        if (answer.kind !== 'led') return this.#fromRemote(answer, query, fill, 'coalesced');
      }
    } finally {
      this.#waiting--;
    }
    return { kind: 'miss', state: 'miss', fill, rescue: this.#rescue(query, this.#memory.get(query.key)) };
  }

  /** There is no answer to exactly this request: returns the answer to one with the same meaning, or else `otherwise`. */
  async #fromNear(query: CacheQuery, near: string, remote: RemoteStore, fill: Fill, otherwise: Lookup): Promise<Lookup> {
    let hit = this.#serveNear(query, near);
    if (hit === null && !query.controls.exact) {
      const key = await remote.near(near);
      const answer = key === null ? null : await remote.lookup(key, 0);
      if (answer?.kind === 'entry' && answer.entry.near === near) {
        this.#remember(answer.entry);
        hit = this.#serve(answer.entry, query, 'semantic', false);
      }
    }
    if (hit === null) return otherwise;
    remote.release(query.key);
    this.#landed(fill, hit.entry);
    return hit;
  }

  /** Keeps another replica's entry for the rest of its time. */
  #remember(entry: CacheEntry): void {
    this.#memory.set(entry, entry.storedAt + entry.keepMs - this.#now());
  }

  #serveNear(query: CacheQuery, near: string | null): CacheHit | null {
    const found = near === null ? undefined : this.#memory.getNear(near);
    return found === undefined ? null : this.#serve(found, query, 'semantic', false);
  }

  #fromRemote(answer: RemoteAnswer, query: CacheQuery, fill: Fill, state: HitState): Lookup {
    if (answer.kind === 'entry') {
      const { entry } = answer;
      this.#remember(entry);
      const hit = this.#serve(entry, query, state, false);
      if (hit !== null) {
        this.#landed(fill, entry);
        return hit;
      }
    }
    return query.controls.onlyIfCached
      ? { kind: 'unsatisfied' }
      : {
          kind: 'miss',
          state: 'miss',
          fill,
          rescue: this.#rescue(query, answer.kind === 'entry' ? answer.entry : this.#memory.get(query.key)),
        };
  }

  /** The answer was already there: nothing has to be filled. */
  #landed(fill: Fill, entry: CacheEntry): void {
    if (this.#flights.ledBy(fill) !== undefined) this.#flights.land(fill.request.key, entry);
  }

  #follow(flight: Flight, query: CacheQuery, near: string | null): PendingLookup {
    const ms = query.settings.coalesce * 1_000;
    const { landing, leave } = this.#flights.follow(flight, ms);
    this.#waiting++;
    const result = landing.then((found): Lookup => {
      this.#waiting--;
      if (found === 'lead') return this.#lead(query, near, this.#memory.get(query.key));
      const held = found ?? this.#memory.get(query.key);
      const hit = held === undefined ? null : this.#serve(held, query, 'coalesced', false);
      return hit ?? this.#alone(query, near);
    });
    return { kind: 'later', ms, result, leave };
  }

  /** Null if it is too old for this caller or cannot be rendered in the requested form. */
  #serve(entry: CacheEntry, query: CacheQuery, state: HitState, refreshing: boolean): CacheHit | null {
    const ageMs = Math.max(0, this.#now() - entry.storedAt);
    const { maxAge } = query.controls;
    if (maxAge !== null && ageMs > maxAge * 1_000) return null;
    const fresh = ageMs < entry.ttlMs;
    const own = entry.key === query.key;
    // The answer to another question is used only while it is fresh.
    if (!own && (!fresh || query.controls.exact)) return null;
    if (!fresh && !this.#mayServeStale(entry, query, ageMs, refreshing)) return null;
    const rendered = renderAnswer(entry, query.wanted, query.settings.usage);
    return rendered === null
      ? null
      : { kind: 'hit', state: !own ? 'semantic' : fresh ? state : 'stale', entry, rendered, age: Math.floor(ageMs / 1_000) };
  }

  #mayServeStale(entry: CacheEntry, { settings }: CacheQuery, ageMs: number, refreshing: boolean): boolean {
    const past = ageMs - entry.ttlMs;
    if (refreshing && past < settings.staleWhileRevalidate * 1_000) return true;
    return past < settings.staleIfError * 1_000 && this.#outages.down(entry.provider, this.#now());
  }

  #noteHealth({ outcome, status, provider }: FillEnding): void {
    if (outcome === 'complete') this.#outages.note(provider, false, this.#now());
    else if (outcome === 'cut' || (outcome === 'provider-error' && (status === null || status === 200 || status === 429 || status >= 500)))
      this.#outages.note(provider, true, this.#now());
  }
}
