/** Control, format and unassigned characters, and the separators that end a line. */
const unprintable = /[\p{C}\u2028\u2029]/gu;

/**
 * Makes a text safe to print on a terminal: callers choose names of models and workspaces, and an escape sequence in them must not move the
 * cursor, nor a line break forge a line. Unprintable characters are written as their code, `\u{1b}`.
 */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** The same for every text in a JSON value. */
export function printableTexts<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_key, part: unknown) => (typeof part === 'string' ? printable(part) : part)) as T;
}
