import type { Usage } from '../types.ts';
import type { Failure } from './failure.ts';

/** Why an answer ended, in terms of no API. */
export type Finish = 'stop' | 'stop-sequence' | 'length' | 'calls' | 'filter' | 'refusal';

export interface AnswerStart {
  readonly id: string | null;
  readonly model: string | null;
  /** Seconds since 1970; null when the provider does not say. */
  readonly created: number | null;
}

/**
 * What a reader of a provider's answer tells, in whatever order the provider sends it. `key` tells the calls of one answer apart. A whole
 * answer and a stream are told in the same words.
 */
export interface AnswerSink {
  start(start: AnswerStart): void;
  text(text: string): void;
  refusal(text: string): void;
  callStart(key: string, id: string | null, name: string): void;
  /** A piece of the arguments' JSON text. */
  callArgs(key: string, json: string): void;
  callEnd(key: string): void;
  usage(usage: Usage): void;
  finish(finish: Finish, stopSequence: string | null): void;
  /** The provider said that nothing more comes. */
  end(): void;
  fail(failure: Failure): void;
}

export type BlockStart =
  { readonly kind: 'text' } | { readonly kind: 'refusal' } | { readonly kind: 'call'; readonly id: string; readonly name: string };

export interface AnswerEnd {
  readonly finish: Finish;
  readonly stopSequence: string | null;
  /** Null: the provider did not say. */
  readonly usage: Usage | null;
}

/** What a writer of answers is told: one block at a time, in order. start comes first, then finish or fail comes last, once. */
export interface AnswerEncoder {
  start(start: AnswerStart): void;
  open(block: BlockStart): void;
  delta(text: string): void;
  /** A failure when the block cannot be said in this API; the answer ends with it. */
  close(): Failure | null;
  finish(end: AnswerEnd): void;
  fail(failure: Failure): void;
}

export type AnswerBlock =
  | { readonly kind: 'text' | 'refusal'; readonly text: string }
  | { readonly kind: 'call'; readonly id: string; readonly name: string; readonly args: string };

/** A whole answer. */
export interface WholeAnswer extends AnswerEnd {
  readonly start: AnswerStart;
  readonly blocks: readonly AnswerBlock[];
}

/** What the writers of answers know of the request that is answered. */
export interface AnswerContext {
  /** The model that the caller is told when the provider names none. */
  readonly model: string;
  /** Makes ids that are missing: the same for the whole answer, unique to it (the decision's id). */
  readonly id: string;
  /** Seconds since 1970, for an answer that does not say. */
  readonly created: number;
  /** OpenAI chat streams: whether the caller asked for stream_options.include_usage. */
  readonly includeUsage: boolean;
}
