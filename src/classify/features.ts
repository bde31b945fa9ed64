import type { Exchange } from '../dialects/types.ts';
import { wordPatterns, type WordClass } from './words.ts';

/** Characters of a text in which words are looked for: its beginning and its end, where tasks are stated. */
const headUnits = 1_500;
const tailUnits = 500;

export const featureNames = [
  'length',
  'longText',
  'define',
  'classify',
  'extract',
  'translate',
  'summarise',
  'rewrite',
  'explain',
  'compare',
  'why',
  'steps',
  'prove',
  'derive',
  'design',
  'implement',
  'function',
  'debug',
  'review',
  'plan',
  'scale',
  'constraints',
  'listItems',
  'questions',
  'codeFence',
  'creative',
  'maths',
  'formal',
  'expertDomain',
] as const;

export type FeatureName = (typeof featureNames)[number];

export interface TextFeatures {
  /** Values of about 0 to 1, in the order of featureNames. */
  readonly values: Float64Array;
  /** How often each word class was met, bounded. */
  readonly words: Readonly<Partial<Record<WordClass, number>>>;
  /** What was counted, for the verdict's signals. */
  readonly seen: Readonly<Record<'units' | 'questions' | 'codeFences' | 'listItems', number>>;
}

const counted: readonly WordClass[] = Object.keys(wordPatterns) as WordClass[];
const cjk = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;
const questionMark = /[?？؟]/g;
const separators = /[,;、，；:：]|\n\s*(?:[-*•]|\d+[.)])/g;
const formal = /[∀∃∈⊂∑∫√≤≥≠→⇒±∞]|\\(?:frac|sum|int|sqrt)|\b[a-z]\s*\^\s*\d|[=<>]\s*\d|\b[nxy]\s*[=+]/gu;

/** Occurrences, at most `most`: nothing is learnt from the hundredth. */
function count(pattern: RegExp, text: string, most: number): number {
  pattern.lastIndex = 0;
  let found = 0;
  while (found < most && pattern.exec(text) !== null) found++;
  return found;
}

/** Where words are looked for in a text. */
export function excerpt(text: string): string {
  return text.length <= headUnits + tailUnits ? text : `${text.slice(0, headUnits)}\n${text.slice(-tailUnits)}`;
}

/** What one text says of the work that it asks for. Linear in the excerpt; the same for the same text. */
export function textFeatures(text: string): TextFeatures {
  const part = excerpt(text);
  const words: Partial<Record<WordClass, number>> = {};
  for (const name of counted) {
    const times = count(wordPatterns[name], part, 5);
    if (times > 0) words[name] = times;
  }
  const has = (name: WordClass): number => (words[name] === undefined ? 0 : 1);
  // A CJK character says about as much as two letters and a half.
  const units = part.length + 1.5 * count(cjk, part, 2_000) + Math.max(0, text.length - part.length);
  const questions = count(questionMark, part, 8);
  const listItems = count(separators, part, 12);
  const codeFences = count(/```|^(?: {4}|\t)\S|[{};]\s*$/gm, part, 6);
  const values = new Float64Array([
    Math.min(1, Math.log2(1 + units) / 8),
    Math.min(1, Math.max(0, Math.log2(1 + units) - 8) / 6),
    has('define'),
    has('classify'),
    has('extract'),
    has('translate'),
    has('summarise'),
    has('rewrite'),
    has('explain'),
    has('compare'),
    has('why'),
    has('steps'),
    has('prove'),
    has('derive'),
    has('design'),
    has('implement'),
    has('function'),
    has('debug'),
    has('review'),
    has('plan'),
    Math.min(3, words.scale ?? 0) / 3,
    Math.min(4, words.constraint ?? 0) / 4,
    Math.min(6, listItems) / 6,
    Math.min(4, Math.max(0, questions - 1)) / 4,
    codeFences > 0 ? 1 : 0,
    has('creative'),
    has('maths'),
    Math.min(4, count(formal, part, 4)) / 4,
    has('medical') === 1 || has('legal') === 1 || has('finance') === 1 ? 1 : 0,
  ]);
  return { values, words, seen: { units: Math.round(units), questions, codeFences, listItems } };
}

/** The features of the part that says what is wanted: the last user turn. */
export function requestFeatures(exchange: Exchange): TextFeatures {
  return textFeatures(exchange.lastUser);
}
