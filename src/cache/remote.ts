import type { CacheEntry, PurgeFilter } from './types.ts';

/** Why a backend did not do what was asked. Closed list: a metric label. */
export type BackendProblem = 'timeout' | 'error' | 'connection' | 'down' | 'write-dropped' | 'write-failed';

export type RemoteAnswer =
  | { readonly kind: 'entry'; readonly entry: CacheEntry }
  /** Nothing there; where a lead was asked for, it is this process's now. */
  | { readonly kind: 'none' }
  /** Nothing there yet; another replica fetches it. */
  | { readonly kind: 'led' }
  | { readonly kind: 'unavailable' };

/** A cache behind the memory, shared by replicas. No method rejects. */
export interface RemoteStore {
  readonly up: boolean;
  /** One round trip. `leadMs` above 0: where nothing is there, take the lead for so long. */
  lookup(key: string, leadMs: number): Promise<RemoteAnswer>;
  /** The key of an entry whose `near` this is; null when none is known. */
  near(near: string): Promise<string | null>;
  /** Keeps an answer and ends this process's lead, in the background. */
  store(entry: CacheEntry): void;
  /** Ends this process's lead: there will be no answer. */
  release(key: string): void;
  purge(filter: PurgeFilter): Promise<number>;
  find(id: string): Promise<CacheEntry | null>;
  close(): void;
}
