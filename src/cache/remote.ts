import type { CacheEntry, PurgeFilter } from './types.ts';

/** Why a backend request failed. Closed list: a metric label. */
export type BackendProblem = 'timeout' | 'error' | 'connection' | 'down' | 'write-dropped' | 'write-failed';

export type RemoteAnswer =
  | { readonly kind: 'entry'; readonly entry: CacheEntry }
  /** No entry; if a lead was requested, this process now has it. */
  | { readonly kind: 'none' }
  /** No entry yet; another replica is fetching it. */
  | { readonly kind: 'led' }
  | { readonly kind: 'unavailable' };

/** A cache behind the memory that replicas share. No method rejects. */
export interface RemoteStore {
  readonly up: boolean;
  /** One round trip. If `leadMs` is above 0 and there is no entry, takes the lead for that long. */
  lookup(key: string, leadMs: number): Promise<RemoteAnswer>;
  /** The key of an entry with this `near`; null if none is known. */
  near(near: string): Promise<string | null>;
  /** Stores an answer and ends this process's lead, in the background. */
  store(entry: CacheEntry): void;
  /** Ends this process's lead without an answer. */
  release(key: string): void;
  purge(filter: PurgeFilter): Promise<number>;
  find(id: string): Promise<CacheEntry | null>;
  close(): void;
}
