import { LRUCache } from 'lru-cache';
import type { CacheEntry, PurgeFilter } from './types.ts';

/** What an entry takes beside its body, in bytes: its fields, its key, the map's own bookkeeping. Rounded up. */
const entryOverhead = 1_024;
/** What its place in the semantic cache takes, in bytes. */
const nearOverhead = 256;

export interface MemoryStats {
  readonly entries: number;
  readonly bytes: number;
  readonly maxBytes: number;
  /** Entries that left to make room. */
  readonly evictions: number;
}

/** Answers in this process: least recently used ones leave when the bytes run out, all leave when their time is over. */
export class MemoryStore {
  readonly #entries: LRUCache<string, CacheEntry>;
  readonly #maxBytes: number;
  /** Key of the newest entry by its `near`; holds only what `#entries` does. */
  readonly #near = new Map<string, string>();
  #evictions = 0;

  /** `now` in ms; a test's clock may stand in for the real one. */
  constructor(maxBytes: number, now: () => number = Date.now) {
    this.#maxBytes = maxBytes;
    this.#entries = new LRUCache<string, CacheEntry>({
      maxSize: maxBytes,
      // One answer must not push out a quarter of all others.
      maxEntrySize: Math.floor(maxBytes / 4),
      sizeCalculation: sizeOf,
      ttlAutopurge: false,
      ttlResolution: 0,
      perf: { now },
      dispose: ({ near }, key, reason) => {
        if (near !== null && this.#near.get(near) === key) this.#near.delete(near);
        if (reason === 'evict') this.#evictions++;
      },
    });
  }

  /** Undefined also when its time to be kept is over. */
  get(key: string): CacheEntry | undefined {
    return this.#entries.get(key);
  }

  /** The newest entry whose question asks the same. */
  getNear(near: string): CacheEntry | undefined {
    const key = this.#near.get(near);
    return key === undefined ? undefined : this.#entries.get(key);
  }

  set(entry: CacheEntry, keptMs: number = entry.keepMs): void {
    if (keptMs <= 0) return;
    this.#entries.set(entry.key, entry, { ttl: keptMs });
    // One that is too large for the bound was not taken.
    if (entry.near !== null && this.#entries.has(entry.key)) this.#near.set(entry.near, entry.key);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Lets go of all whose time is over. */
  sweep(): void {
    this.#entries.purgeStale();
  }

  /** The entry whose key begins so; null when none or more than one does. */
  find(id: string): CacheEntry | null {
    let found: CacheEntry | null = null;
    for (const [key, entry] of this.#entries.entries()) {
      if (!key.startsWith(id)) continue;
      if (found !== null) return null;
      found = entry;
    }
    return found;
  }

  /** Returns how many were removed. */
  purge(filter: PurgeFilter, now: number): number {
    const doomed: string[] = [];
    for (const [key, entry] of this.#entries.entries()) if (matchesFilter(entry, filter, now)) doomed.push(key);
    for (const key of doomed) this.#entries.delete(key);
    return doomed.length;
  }

  stats(): MemoryStats {
    return { entries: this.#entries.size, bytes: this.#entries.calculatedSize, maxBytes: this.#maxBytes, evictions: this.#evictions };
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
