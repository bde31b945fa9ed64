import type { ApiName, Usage } from './types.ts';

/** Token counts in the body of a cached answer: those of the original answer, or zero. */
export type CachedUsage = 'original' | 'zero';

/** How an answer ended, independent of dialect: complete, wants a tool, or cut at the requested length. */
export type FinishClass = 'stop' | 'tools' | 'length';

/** The layout of an answer's bytes: one JSON object, server-sent events, or Gemini's JSON array of chunks. */
export type AnswerForm = 'json' | 'sse' | 'array';

/** The form that a caller asked for. */
export interface WantedForm {
  readonly form: AnswerForm;
  /** OpenAI streams: whether the caller asked for the usage chunk. */
  readonly includeUsage: boolean;
}

/** An answer as it was stored. */
export interface StoredAnswer {
  readonly api: ApiName;
  readonly form: AnswerForm;
  readonly body: Buffer;
  /** Null when the provider did not say. */
  readonly usage: Usage | null;
}
