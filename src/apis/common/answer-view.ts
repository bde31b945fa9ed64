/** What every API's whole answer comes down to when it is judged. */
export interface AnswerView {
  readonly text: string;
  /** Arguments of each tool call: JSON text, or null when they came as an object. */
  readonly toolArguments: readonly (string | null)[];
  readonly refused: boolean;
  readonly filtered: boolean;
  /** Ended at the token limit. */
  readonly cutOff: boolean;
}

type Json = { readonly [key: string]: unknown };

/** Sees the view in one parsed answer; null when it is not shaped as the API's answers are. */
export type ViewReader = (answer: Readonly<Record<string, unknown>>) => AnswerView | null;

/** The object; null for whatever is none. */
export function object(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

/** The array; empty for whatever is none. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** The string; empty for whatever is none. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
