import type { CachedUsage, FinishClass } from '../apis/answer-forms.ts';

/** The cache settings of one section. Times in seconds. */
export interface CacheSettings {
  readonly enabled: boolean;
  /** How long an answer is fresh, unless its tier or rule says otherwise. */
  readonly ttl: number;
  readonly ttlByTier: Readonly<Partial<Record<string, number>>>;
  /** By name of the override or rule that decided. */
  readonly ttlByRule: Readonly<Record<string, number>>;
  /** `credential`: only callers with the same key share answers; `workspace`: all callers of a workspace do. */
  readonly share: 'credential' | 'workspace';
  /** Additional request headers whose values must agree; lower case. */
  readonly partitionHeaders: readonly string[];
  /** Requests with a higher temperature are not cached. */
  readonly maxTemperature: number;
  /** Requests for more answers than this are not cached. */
  readonly maxN: number;
  /** Whether requests whose answer depends on external state are cached. */
  readonly external: 'bypass' | 'cache';
  /** Larger answers are not kept, in bytes. */
  readonly maxAnswerBytes: number;
  readonly finish: ReadonlySet<FinishClass>;
  /** How long an expired answer is served while another request fetches a new one. */
  readonly staleWhileRevalidate: number;
  /** How long an expired answer is served while its provider fails. */
  readonly staleIfError: number;
  /** Longest wait for an identical request in flight; 0 to not wait. */
  readonly coalesce: number;
  readonly usage: CachedUsage;
  /** Which non-identical questions count as the same; null for none. */
  readonly semantic: SemanticMatch | null;
  /** Whether rules of this section read the session, so that sessions may be routed differently. */
  readonly bySession: boolean;
}

/** How much two questions may differ: docs/cache.md describes what each allows, and how often it was wrong. */
export type SemanticMatch = 'strict' | 'wide';
