import type { AnswerForm } from '../apis/answer-forms.ts';
import type { ApiName, Usage } from '../apis/types.ts';

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
