import { LRUCache } from 'lru-cache';
import { Frequency } from './frequency.ts';
import type { CacheEntry, PurgeFilter } from './types.ts';

/** Memory of an entry besides its body, in bytes: its fields, its key, the map's bookkeeping. Rounded up. */
const entryOverhead = 1_024;
/** Memory of its semantic index entry, in bytes. */
const nearOverhead = 256;

export interface MemoryStats {
  readonly entries: number;
  readonly bytes: number;
  readonly maxBytes: number;
  /** Entries evicted to make room. */
  readonly evictions: number;
}

/** The window's share of the bytes: initial, smallest and largest. */
const firstShare = 0.05;
const leastShare = 0.01;
const mostShare = 0.8;

/** First change of the share, and the factor applied to the step after each change for the worse. */
const firstStep = 0.0625;
const stepDecay = 0.9;
/** Lookups after which the share is adjusted: per entry, and at least. */
const lookupsAnEntry = 5;
const leastLookups = 2_000;
/** A hit rate that changes this much means new traffic: the step is reset. */
const newTraffic = 0.05;

/** An entry and its expiry time, in ms. */
interface Held {
  readonly entry: CacheEntry;
  readonly until: number;
}

/**
 * Answers in this process, up to a number of bytes. New entries enter a window; its least recently used move to the main part, which, when
 * full, admits them only if they were requested more often recently than its own least recently used (W-TinyLFU): prompts that come once do
 * not evict those that recur. The window's size follows the hit rate: wide if prompts recur soon or never, narrow if some are always
 * requested. All entries expire.
 */
export class MemoryStore {
  readonly #window: LRUCache<string, Held>;
  readonly #main: LRUCache<string, Held>;
  readonly #frequency = new Frequency();
  readonly #maxBytes: number;
  readonly #now: () => number;
  /** Key of the newest entry by its `near`; only for entries in the two parts. */
  readonly #near = new Map<string, string>();
  #evictions = 0;
  #share = firstShare;
  #step = firstStep;
  #lookups = 0;
  #hits = 0;
  #hitRate = 0;

  /** `now` in ms; tests pass their own clock. */
  constructor(maxBytes: number, now: () => number = Date.now) {
    this.#maxBytes = maxBytes;
    this.#now = now;
    const part = (): LRUCache<string, Held> =>
      new LRUCache<string, Held>({
        maxSize: maxBytes,
        // One answer must not take more than a quarter of the memory.
        maxEntrySize: Math.floor(maxBytes / 4),
        sizeCalculation: ({ entry }) => sizeOf(entry),
        ttlAutopurge: false,
        ttlResolution: 0,
        perf: { now },
        dispose: (held, key, reason) => {
          if (reason !== 'set') this.#gone(key, held);
        },
      });
    this.#window = part();
    this.#main = part();
  }

  /** Also undefined if the entry has expired. */
  get(key: string): CacheEntry | undefined {
    this.#frequency.add(key);
    const found = this.#window.get(key) ?? this.#main.get(key);
    if (found !== undefined) this.#hits++;
    if (++this.#lookups >= Math.max(leastLookups, (this.#window.size + this.#main.size) * lookupsAnEntry)) this.#climb();
    return found?.entry;
  }

  /** The newest entry whose question has the same meaning. */
  getNear(near: string): CacheEntry | undefined {
    const key = this.#near.get(near);
    return key === undefined ? undefined : this.get(key);
  }

  set(entry: CacheEntry, keptMs: number = entry.keepMs): void {
    if (keptMs <= 0) return;
    const { key, near } = entry;
    const held = { entry, until: this.#now() + keptMs };
    (this.#main.has(key) ? this.#main : this.#window).set(key, held, { ttl: keptMs });
    this.#makeRoom();
    if (near !== null && (this.#window.has(key) || this.#main.has(key))) this.#near.set(near, key);
  }

  /** Removes all expired entries. */
  sweep(): void {
    this.#window.purgeStale();
    this.#main.purgeStale();
  }

  /** The entry whose key has this prefix; null if none or more than one has. */
  find(id: string): CacheEntry | null {
    let found: CacheEntry | null = null;
    for (const entry of this.#all()) {
      if (!entry.key.startsWith(id)) continue;
      if (found !== null) return null;
      found = entry;
    }
    return found;
  }

  /** Returns the number removed. */
  purge(filter: PurgeFilter, now: number): number {
    const doomed: string[] = [];
    for (const entry of this.#all()) if (matchesFilter(entry, filter, now)) doomed.push(entry.key);
    for (const key of doomed) {
      this.#window.delete(key);
      this.#main.delete(key);
    }
    return doomed.length;
  }

  stats(): MemoryStats {
    const [window, main] = [this.#window, this.#main];
    return {
      entries: window.size + main.size,
      bytes: window.calculatedSize + main.calculatedSize,
      maxBytes: this.#maxBytes,
      evictions: this.#evictions,
    };
  }

  *#all(): Generator<CacheEntry> {
    for (const part of [this.#window, this.#main]) for (const { entry } of part.values()) yield entry;
  }

  get #windowBytes(): number {
    return Math.floor(this.#maxBytes * this.#share);
  }

  /** Moves entries over the window's size to the main part, and evicts those over the main part's size. */
  #makeRoom(): void {
    while (this.#window.calculatedSize > this.#windowBytes) {
      const [key] = this.#window.rkeys();
      const held = key === undefined ? undefined : this.#window.peek(key);
      // The least recently used entries may have expired.
      if (key === undefined || held === undefined) this.#window.purgeStale();
      else this.#admit(key, held);
    }
    while (this.#main.calculatedSize > this.#maxBytes - this.#windowBytes) {
      this.#main.pop();
      this.#evictions++;
    }
  }

  /** Moves an entry from the window to the main part, if there is room or the entries to evict were requested less often. */
  #admit(key: string, held: Held): void {
    if (this.#deservesRoom(key, sizeOf(held.entry))) {
      this.#move(key, held, this.#window, this.#main);
    } else {
      this.#window.delete(key);
      this.#evictions++;
    }
  }

  #move(key: string, held: Held, from: LRUCache<string, Held>, to: LRUCache<string, Held>): void {
    const { near } = held.entry;
    const newest = near !== null && this.#near.get(near) === key;
    from.delete(key);
    to.set(key, held, { ttl: Math.max(1, held.until - this.#now()) });
    if (newest) this.#near.set(near, key);
  }

  #deservesRoom(key: string, size: number): boolean {
    let missing = this.#main.calculatedSize + size - (this.#maxBytes - this.#windowBytes);
    if (missing <= 0) return true;
    const asked = this.#frequency.of(key);
    // From the least recently used upwards.
    for (const other of this.#main.rkeys()) {
      const found = this.#main.peek(other);
      if (found === undefined) continue;
      if (this.#frequency.of(other) >= asked) {
        // This entry won: mark it as used, so that the next candidate competes with another one.
        this.#main.get(other);
        return false;
      }
      missing -= sizeOf(found.entry);
      if (missing <= 0) return true;
    }
    // All other entries have expired.
    return true;
  }

  /** Hill climbing: changes the window's share in the direction that improved the hit rate, and reverses when it got worse. */
  #climb(): void {
    const hitRate = this.#hits / this.#lookups;
    const change = hitRate - this.#hitRate;
    if (Math.abs(change) >= newTraffic) this.#step = Math.sign(this.#step) * firstStep;
    if (change < 0) this.#step *= -stepDecay;
    // Without hits the better direction is unknown.
    if (hitRate > 0) this.#share = Math.min(mostShare, Math.max(leastShare, this.#share + this.#step));
    this.#hitRate = hitRate;
    this.#lookups = 0;
    this.#hits = 0;
    // Entries that the main part no longer has room for compete again when the window is full.
    while (this.#main.calculatedSize > this.#maxBytes - this.#windowBytes) {
      const [key] = this.#main.rkeys();
      const held = key === undefined ? undefined : this.#main.peek(key);
      if (key === undefined || held === undefined) this.#main.purgeStale();
      else this.#move(key, held, this.#main, this.#window);
    }
    this.#makeRoom();
  }

  #gone(key: string, { entry: { near } }: Held): void {
    if (near !== null && this.#near.get(near) === key) this.#near.delete(near);
  }
}

function sizeOf(entry: CacheEntry): number {
  let size = entryOverhead + entry.body.length + (entry.usage?.raw.length ?? 0) * 2 + (entry.near === null ? 0 : nearOverhead);
  for (const tag of entry.tags) size += tag.length * 2;
  return size;
}

/** Whether a purge removes the entry; `now` in ms since the epoch. */
export function matchesFilter(entry: Omit<CacheEntry, 'body'>, filter: PurgeFilter, now: number): boolean {
  return (
    (filter.id === undefined || entry.key.startsWith(filter.id)) &&
    (filter.workspace === undefined || entry.workspace === filter.workspace) &&
    (filter.model === undefined || entry.model === filter.model || entry.requestedModel === filter.model) &&
    (filter.tag === undefined || entry.tags.includes(filter.tag)) &&
    (filter.olderThan === undefined || now - entry.storedAt >= filter.olderThan * 1_000)
  );
}
