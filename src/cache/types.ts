import type { AnswerForm } from '../apis/answer-forms.ts';
import type { ApiName, Usage } from '../apis/types.ts';

/** One answer and its metadata. Of the request it holds only the hash. */
export interface CacheEntry {
  /** SHA-256 of the canonical request and its partition, hex. */
  readonly key: string;
  /** SHA-256 of the request with its question in canonical form, hex; null if the semantic cache is off or does not apply. */
  readonly near: string | null;
  readonly api: ApiName;
  readonly form: AnswerForm;
  readonly body: Buffer;
  /** Milliseconds since the epoch. */
  readonly storedAt: number;
  /** How long it is fresh, in ms. */
  readonly ttlMs: number;
  /** How long it is kept, in ms: its fresh time plus the windows in which a stale answer may be served. */
  readonly keepMs: number;
  readonly workspace: string;
  /** The provider that answered. */
  readonly provider: string;
  readonly model: string;
  readonly requestedModel: string;
  readonly tier: string | null;
  readonly tags: readonly string[];
  /** Null if the provider did not report it. */
  readonly usage: Usage | null;
  readonly finishReason: string | null;
  /** How long the original request took, in ms. */
  readonly tookMs: number | null;
}

/** Which entries a purge removes: all given conditions must match; without any, all entries. */
export interface PurgeFilter {
  /** Beginning of the key, at least 8 digits. */
  readonly id?: string;
  readonly workspace?: string;
  /** Requested or answering model. */
  readonly model?: string;
  readonly tag?: string;
  /** Stored at least this many seconds ago. */
  readonly olderThan?: number;
}

/** Digits of a key that are shown in headers and records. */
export const idDigits = 16;
