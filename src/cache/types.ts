import type { ApiName, Usage } from '../apis/types.ts';

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

/** Tokens that a cached answer names in its body: those of the first one, or none. */
export type CachedUsage = 'original' | 'zero';

/** How much two questions may differ: docs/cache.md says what each lets by, and how often that was wrong. */
export type SemanticMatch = 'strict' | 'wide';

/** How an answer ended, in every dialect's words: said all, wants a tool, was cut by the length that was asked for. */
export type FinishClass = 'stop' | 'tools' | 'length';

/** How the bytes of an answer are laid out: one JSON object, server-sent events, or Gemini's JSON array of chunks. */
export type AnswerForm = 'json' | 'sse' | 'array';

/** One answer with what is known of it. Holds nothing of the request but its hash. */
export interface CacheEntry {
  /** SHA-256 of the canonical request and its partition, hex. */
  readonly key: string;
  /** SHA-256 of the request with its question in the semantic cache's form, hex; null where that is off or does not apply. */
  readonly near: string | null;
  readonly api: ApiName;
  readonly form: AnswerForm;
  readonly body: Buffer;
  /** Milliseconds since the epoch. */
  readonly storedAt: number;
  /** Fresh for so long, in ms. */
  readonly ttlMs: number;
  /** Held for so long, in ms: freshness and the windows in which a stale answer may serve. */
  readonly keepMs: number;
  readonly workspace: string;
  /** Who answered. */
  readonly provider: string;
  readonly model: string;
  readonly requestedModel: string;
  readonly tier: string | null;
  readonly tags: readonly string[];
  /** Null when the provider did not say. */
  readonly usage: Usage | null;
  readonly finishReason: string | null;
  /** What this answer took when it was fetched, in ms. */
  readonly tookMs: number | null;
}

/** The form that a caller asked for. */
export interface WantedForm {
  readonly form: AnswerForm;
  /** OpenAI streams: whether the caller asked for the usage chunk. */
  readonly includeUsage: boolean;
}

/** Which entries a purge removes; all given parts must hold, none given: all. */
export interface PurgeFilter {
  /** Beginning of the key, at least 8 digits. */
  readonly id?: string;
  readonly workspace?: string;
  /** Requested or answering model. */
  readonly model?: string;
  readonly tag?: string;
  /** Stored at least so many seconds ago. */
  readonly olderThan?: number;
}

/** Digits of a key that stand in headers and records. */
export const idDigits = 16;
