import type { CachedUsage, FinishClass } from '../apis/answer-forms.ts';

/** What the policy says about the cache for one section. Times in seconds. */
export interface CacheSettings {
  readonly enabled: boolean;
  /** How long an answer is fresh, unless its tier or rule says otherwise. */
  readonly ttl: number;
  readonly ttlByTier: Readonly<Partial<Record<string, number>>>;
  /** By name of the override or rule that decided. */
  readonly ttlByRule: Readonly<Record<string, number>>;
  /** `credential`: only callers with the same key share answers; `workspace`: all callers of a workspace do. */
  readonly share: 'credential' | 'workspace';
  /** More request headers whose values must agree; lower case. */
  readonly partitionHeaders: readonly string[];
  /** Requests with a higher temperature are not cached. */
  readonly maxTemperature: number;
  /** Requests for more answers are not cached. */
  readonly maxN: number;
  /** Requests whose answer hangs on what lives elsewhere: not cached, or cached all the same. */
  readonly external: 'bypass' | 'cache';
  /** Larger answers are not kept, in bytes. */
  readonly maxAnswerBytes: number;
  readonly finish: ReadonlySet<FinishClass>;
  /** How long past its time an answer is served while another request fetches a new one. */
  readonly staleWhileRevalidate: number;
  /** How long past its time an answer is served while its provider fails. */
  readonly staleIfError: number;
  /** Longest wait for an identical request in flight; 0: none. */
  readonly coalesce: number;
  readonly usage: CachedUsage;
  /** Which questions count as the same beyond those that are; null: none. */
  readonly semantic: SemanticMatch | null;
  /** Whether rules of this section look at the session, so that sessions may be routed apart. */
  readonly bySession: boolean;
}

/** How much two questions may differ: docs/cache.md says what each lets by, and how often that was wrong. */
export type SemanticMatch = 'strict' | 'wide';
