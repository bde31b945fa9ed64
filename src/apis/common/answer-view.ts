/** The common view of any API's whole answer, for grading. */
export interface AnswerView {
  readonly text: string;
  /** Arguments of each tool call: JSON text, or null when they came as an object. */
  readonly toolArguments: readonly (string | null)[];
  readonly refused: boolean;
  readonly filtered: boolean;
  /** Ended at the token limit. */
  readonly cutOff: boolean;
  /** Holds something besides words and calls, as pictures and sound, or is still being made. */
  readonly other?: boolean;
}

/** Whether a model ended its answer without a word or anything else. */
export function saysNothing({ text: words, toolArguments, refused, filtered, other }: AnswerView): boolean {
  return words.trim() === '' && toolArguments.length === 0 && !refused && !filtered && other !== true;
}

type Json = { readonly [key: string]: unknown };

/** Reads the view of one parsed answer; null if the answer does not have the API's shape. */
export type ViewReader = (answer: Readonly<Record<string, unknown>>) => AnswerView | null;

/** The object; null for any other value. */
export function object(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

/** The array; empty for any other value. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** The string; empty for any other value. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
