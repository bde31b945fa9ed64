import type { Usage } from '../types.ts';
import type { Failure } from './failure.ts';

/** Why an answer ended, independent of any API. */
export type Finish = 'stop' | 'stop-sequence' | 'length' | 'calls' | 'filter' | 'refusal';

export interface AnswerStart {
  readonly id: string | null;
  readonly model: string | null;
  /** Seconds since 1970; null when the provider does not say. */
  readonly created: number | null;
}

/**
 * Receives what a reader finds in a provider's answer, in the order in which the provider sends it. `key` identifies a call within the
 * answer. Whole answers and streams use the same methods.
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
  /** The provider said that nothing more follows. */
  end(): void;
  fail(failure: Failure): void;
}

export type BlockStart =
  { readonly kind: 'text' } | { readonly kind: 'refusal' } | { readonly kind: 'call'; readonly id: string; readonly name: string };

export interface AnswerEnd {
  readonly finish: Finish;
  readonly stopSequence: string | null;
  /** Null if the provider did not report it. */
  readonly usage: Usage | null;
}

/** Receives the answer to write: one block at a time, in order. start is called first, then finish or fail last, once. */
export interface AnswerEncoder {
  start(start: AnswerStart): void;
  open(block: BlockStart): void;
  delta(text: string): void;
  /** A failure if the block cannot be expressed in this API; the answer ends with it. */
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

/** What the writers of answers know about the request. */
export interface AnswerContext {
  /** The model that the caller sees when the provider names none. */
  readonly model: string;
  /** Seed for missing ids: the same for the whole answer, unique to it (the decision's id). */
  readonly id: string;
  /** Seconds since 1970, for an answer without a time. */
  readonly created: number;
  /** OpenAI chat streams: whether the caller asked for stream_options.include_usage. */
  readonly includeUsage: boolean;
}
