import { scanText } from './text-scan.ts';
import { countTokens, countUnspaced, wordClasses, type WordClass } from './words.ts';

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

export interface TextFeatures {
  /** Values of about 0 to 1, in the order of featureNames. */
  readonly values: Float64Array;
  /** Lower-case words of the excerpt, in order. */
  readonly tokens: readonly string[];
  /** How often each word class was found, bounded. */
  readonly words: Readonly<Partial<Record<WordClass, number>>>;
  /** Counts for the verdict's signals. */
  readonly seen: Readonly<Record<'units' | 'questions' | 'codeFences' | 'listItems', number>>;
}

/** The part of a text that is searched for words. */
export function excerpt(text: string): string {
  return text.length <= headUnits + tailUnits ? text : `${text.slice(0, headUnits)}\n${text.slice(-tailUnits)}`;
}

/** Features of the work that a text asks for. Linear in the excerpt; deterministic. */
export function textFeatures(text: string): TextFeatures {
  const part = excerpt(text);
  const lower = part.toLowerCase();
  const { tokens, cjk, questions, listItems, codeFences, formal } = scanText(lower);
  const hits = new Uint8Array(wordClasses.length);
  countTokens(tokens, hits);
  if (cjk > 0) countUnspaced(lower, hits);
  const words: Partial<Record<WordClass, number>> = {};
  for (let i = 0; i < hits.length; i++) if (hits[i]! > 0) words[wordClasses[i]!] = hits[i]!;
  const has = (name: WordClass): number => (words[name] === undefined ? 0 : 1);
  // A CJK character carries about as much as two and a half letters.
  const units = part.length + 1.5 * cjk + Math.max(0, text.length - part.length);
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
    Math.min(4, formal) / 4,
    has('medical') === 1 || has('legal') === 1 || has('finance') === 1 ? 1 : 0,
  ]);
  return { values, tokens, words, seen: { units: Math.round(units), questions, codeFences, listItems } };
}
