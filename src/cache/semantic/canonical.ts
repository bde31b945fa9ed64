import { limits } from '../../lib/limits.ts';
import type { SemanticMatch } from '../../policy/options/cache.ts';
import { evidence, framed, type Framed } from './frames.ts';
import { onePhrasing } from './phrases.ts';
import { plainWords } from './tokens.ts';
import { openers } from './words.ts';

/** Words that refer to the asker's own things, for which answers cannot be shared. */
const own = /(?:^| )(?:my|me|mine|myself|our|us)(?: |$)/;

/**
 * Writes a question so that harmless rewrites of it become the same text: case, spaces, punctuation, articles, contractions, plurals,
 * spellings, some synonyms, and frames that ask the same ("how can I", "how to"). Everything else stays: numbers, names, negations,
 * quotations, symbols, what follows a preposition, every other word; it must agree if two questions share an answer. Frames that ask nearly
 * the same ("the best way to", "are" for "is") count as the same only if the question has enough other content; with `wide` always, and
 * then also "how do you" as "how do I". `enough`: how many content words are enough. Null for a text that must not be compared this way:
 * not an English question, about words, about the asker's own things, long, or with code.
 */
export function canonicalQuestion(text: string, match: SemanticMatch, enough: number = limits.semanticEvidence): string | null {
  const plain = plainWords(text);
  if (plain === null) return null;
  const words = onePhrasing(plain.words);
  if (!openers.has(words.split(' ', 1)[0]!)) return null;
  const loosely = framed(words, true);
  if (loosely.frame !== 'how' && own.test(words) && !/ i(?: |$)/.test(words)) return null;
  const form = match === 'wide' || (loosely.sure !== 'perhaps' && evidence(loosely.rest) >= enough) ? written(loosely) : closely(words);
  return [form, ...plain.quotations].join('\n');
}

function closely(words: string): string {
  const strictly = framed(words, false);
  return strictly.sure === 'yes' ? written(strictly) : words;
}

const written = ({ frame, rest }: Framed): string => `${frame}: ${rest}`;
