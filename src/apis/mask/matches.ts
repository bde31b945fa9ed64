import type { RE2JS } from 're2js';

/**
 * Window size and overlap in units of text. A quick test runs on each window, because finding a position costs ten times as much as testing
 * for a match.
 */
const windowUnits = 1_024;
const overlapUnits = 256;

/**
 * Reports each match in a text, in order. `whole` false: the text is searched in windows, which is fast but may miss a match of more than
 * `overlapUnits` units. Linear in the text for matches that are found.
 */
export function eachMatch(expression: RE2JS, text: string, whole: boolean, found: (start: number, end: number) => void): void {
  let size = whole ? text.length : windowUnits;
  for (let from = 0; from < text.length;) {
    const begin = atPair(text, Math.max(0, from - 1));
    const end = whole ? text.length : Math.min(text.length, atPair(text, from + size));
    const match = matchIn(expression, text.slice(begin, end), from - begin);
    if (match === null) {
      if (end === text.length) return;
      from = Math.max(from + 1, end - overlapUnits);
      size = windowUnits;
    } else if (end < text.length && begin + match.end + 1 >= end) {
      // The match may continue beyond the window.
      size *= 4;
    } else {
      if (match.end > match.start) found(begin + match.start, begin + match.end);
      from = Math.max(from + 1, begin + match.end);
      size = whole ? text.length : windowUnits;
    }
  }
}

function matchIn(expression: RE2JS, window: string, from: number): { readonly start: number; readonly end: number } | null {
  if (!expression.test(window)) return null;
  const matcher = expression.matcher(window);
  return matcher.find(from) ? { start: matcher.start(), end: matcher.end() } : null;
}

/** The position itself, or the next unit if it is inside a surrogate pair. */
function atPair(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff ? at + 1 : at;
}
