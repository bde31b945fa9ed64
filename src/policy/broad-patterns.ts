import { RE2JS } from 're2js';

/** How much a pattern matches: even the empty text, any text with a character, or usual prompts of Latin letters. */
export type Breadth = 'empty' | 'any' | 'usual';

/** Texts with nothing in common: a pattern found in all of them is found in every prompt. */
const unlike = ['a', '7', 'Ω', '. '];

/** Short prompts without a word, a letter or a sign in common, but for letters and spaces as such. */
const usual = ['go on', 'Hi, it is Al!', 'buy us my dry cup', 'tell: where?'];

/** How broad a pattern is; null if it is narrower. `source` is in RE2 syntax; throws if it is not valid. */
export function breadthOf(source: string): Breadth | null {
  const pattern = RE2JS.compile(source);
  if (pattern.test('')) return 'empty';
  if (unlike.every((text) => pattern.test(text))) return 'any';
  return usual.every((text) => pattern.test(text)) ? 'usual' : null;
}

/** A class or boundary whose backslash is doubled, as in JSON, so that no text has it; null if there is none. */
export function doubledBackslash(source: string): string | null {
  return /(?<!\\)\\\\[dDwWsSb](?![A-Za-z])/.exec(source)?.[0] ?? null;
}

/** Patterns of `matches` calls in a rule's expression, and the text that they look at. */
const matchesCall = /([\w.]*)\.matches\(\s*r?(["'])((?:\\.|(?!\2).)*)\2\s*\)/g;

/** Texts that prompts have: elsewhere a pattern for any character asks whether there is a text at all. */
const present = new Set(['request.lastUser', 'request.model']);

/** A pattern in a rule's expression that every text, or nearly every, matches; null if there is none. `offset`: UTF-16 units. */
export function broadMatch(source: string): { readonly pattern: string; readonly breadth: Breadth; readonly offset: number } | null {
  for (const { 1: of, 3: pattern, index } of source.matchAll(matchesCall)) {
    try {
      const breadth = breadthOf(pattern!);
      if (breadth === 'empty' || (breadth !== null && present.has(of!))) return { pattern: pattern!, breadth, offset: index + of!.length };
    } catch {
      // Invalid patterns are reported elsewhere.
    }
  }
  return null;
}
