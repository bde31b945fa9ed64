import { limits } from '../../lib/limits.ts';
import type { SemanticMatch } from '../../policy/cache-types.ts';
import { evidence, framed, type Framed } from './frames.ts';
import { onePhrasing } from './phrases.ts';
import { plainWords } from './tokens.ts';
import { openers } from './words.ts';

/** Things of whoever asks: what is true of them is true of nobody else. */
const own = /(?:^| )(?:my|me|mine|myself|our|us)(?: |$)/;

/**
 * Writes a question so that harmless rewrites of it become the same text: case, spaces, punctuation, articles, contractions, plurals,
 * spellings, some synonyms, and frames that ask the same ("how can I", "how to"). All else stays: numbers, names, negations, quotations,
 * symbols, what follows a preposition, every other word; so they must agree where two questions share an answer. Frames that ask nearly
 * the same ("the best way to", "are" for "is") are taken for the same only where enough is said besides; `wide` takes them always, and "how
 * do you" for "how do I". `enough`: how many words of content are enough. Null for a text that is not to be compared so: no English
 * question, about words, about the asker's own, long, with code.
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
