import type { ApiName, Usage } from './types.ts';

/** Tokens that a cached answer names in its body: those of the first one, or none. */
export type CachedUsage = 'original' | 'zero';

/** How an answer ended, in every dialect's words: said all, wants a tool, was cut by the length that was asked for. */
export type FinishClass = 'stop' | 'tools' | 'length';

/** How the bytes of an answer are laid out: one JSON object, server-sent events, or Gemini's JSON array of chunks. */
export type AnswerForm = 'json' | 'sse' | 'array';

/** The form that a caller asked for. */
export interface WantedForm {
  readonly form: AnswerForm;
  /** OpenAI streams: whether the caller asked for the usage chunk. */
  readonly includeUsage: boolean;
}

/** An answer as it was kept. */
export interface StoredAnswer {
  readonly api: ApiName;
  readonly form: AnswerForm;
  readonly body: Buffer;
  /** Null when the provider did not say. */
  readonly usage: Usage | null;
}
