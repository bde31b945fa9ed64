import { limits } from '../../lib/limits.ts';
import { spelling } from './spelling.ts';
import {
  aboutWords,
  contractions,
  englishMarks,
  fillers,
  greetings,
  keepsS,
  lettered,
  meaningWords,
  sameWord,
  sharedOpeners,
} from './words.ts';

/** Line breaks, code and markup carry meaning in their layout. */
const laidOut = /[\n\r`{}<>\\|=*_~^]|(?<!\b[CFcf])#/;

/** A quotation; a number with its separators; C#; a word; any other single character. */
const tokenPattern =
  /"[^"]*"|“[^”]*”|«[^»]*»|‘[^’]*’(?!\p{L})|(?<![\p{L}\p{N}])'[^']*'(?!\p{L})|\d+(?:[.,:/-]\d+)*|\b[CFcf]#|[\p{L}\p{M}\p{N}]+(?:['’]\p{L}+)*|\S/gu;

const punctuation: ReadonlySet<string> = new Set(['?', '.', ',', '!', ';', ':', '…', '(', ')', '-', '–', '—', '¿', '¡']);

/** `verbatim`: a quotation, an abbreviation or a name, which must not change in any letter. */
interface Word {
  readonly text: string;
  readonly verbatim: boolean;
}

export interface PlainWords {
  /** Separated by one space; `"` replaces a quotation. */
  readonly words: string;
  /** Unchanged. */
  readonly quotations: readonly string[];
}

/**
 * A question's words: lower case except short abbreviations, in one spelling and number, without articles, fillers and punctuation. Null
 * for a text that must not be compared: not English, about words, long, several lines, or with code or markup.
 */
export function plainWords(text: string): PlainWords | null {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > limits.semanticUnits || laidOut.test(trimmed)) return null;
  const found = wordsOf(trimmed);
  if (found.some(({ text: word }) => aboutWords.has(word)) || !isEnglish(found)) return null;
  const quotations = found.filter(isQuotation).map(({ text: quoted }) => quoted);
  const unquoted = quotations.length === 0 ? found : found.map((word) => (isQuotation(word) ? { text: '"', verbatim: true } : word));
  // A question about a word's meaning needs exactly that word, even if it is a filler or an article.
  const words = unquoted.some(({ text: word }) => meaningWords.has(word))
    ? unquoted.map(({ text: word }) => (word === 'does' ? 'do' : word))
    : levelled(unquoted);
  return { words: words.join(' '), quotations };
}

const isQuotation = ({ text }: Word): boolean => text.length > 1 && /^["“«‘']/u.test(text);

/** Normalises words: without articles, fillers and the possessive 's, in one spelling and number, with one name per thing. */
function levelled(found: readonly Word[]): string[] {
  const out: string[] = [];
  for (const [index, { text, verbatim }] of found.entries()) {
    const last = index === found.length - 1;
    if (isArticle(text, out.at(-1), last) || fillers.has(text) || (index === 0 && !last && greetings.has(text))) continue;
    const bare = /\p{L}'s$/u.test(text) ? text.slice(0, -2) : text;
    const one = spelling.get(bare) ?? bare;
    for (const word of one.split(' ')) out.push(sameWord.get(word) ?? (verbatim || keepsS.has(word) ? word : named(singular(word))));
  }
  return out.filter((word) => !fillers.has(word));
}

const named = (word: string): string => sameWord.get(word) ?? word;

function isEnglish([first, ...rest]: readonly Word[]): boolean {
  return first !== undefined && (!sharedOpeners.has(first.text) || rest.some(({ text }) => englishMarks.has(text)));
}

function wordsOf(text: string): Word[] {
  const tokens = (text.normalize('NFC').match(tokenPattern) ?? []).filter((token) => !punctuation.has(token));
  const capitals = capitalsSay(text, tokens);
  const words: Word[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token.length > 1 && /^["“«‘']/u.test(token)) {
      words.push({ text: token, verbatim: true });
      continue;
    }
    const capital = capitals && index > 0 && /^\p{Lu}/u.test(token) && token !== 'I';
    // IT is not it, US is not us, and the A of vitamin A is not an article; a token without vowels is never another word.
    if (capital && /^\p{Lu}{1,5}$/u.test(token) && !/^[BCDFGHJKLMNPQRSTVWXZ]{2,}$/.test(token)) {
      words.push({ text: token === 'USA' ? 'america' : token, verbatim: true });
      continue;
    }
    for (const word of apart(token).split(' ')) words.push({ text: word, verbatim: capital });
  }
  return words;
}

/** Lower case, with contractions expanded; numbers without commas. */
function apart(token: string): string {
  if (/^\d{1,3}(?:,\d{3})+$/.test(token)) return token.replaceAll(',', '');
  const lower = token.toLowerCase().replaceAll('’', "'");
  return contractions.get(lower) ?? lower;
}

/** Whether a capital letter marks a name: not in a text in capitals, nor in a title, where most words have one. */
function capitalsSay(text: string, tokens: readonly string[]): boolean {
  if (text === text.toUpperCase()) return false;
  const long = tokens.slice(1).filter((token) => /^\p{L}{4,}/u.test(token));
  return long.filter((token) => /^\p{Lu}/u.test(token)).length <= long.length * 0.6;
}

function isArticle(word: string, before: string | undefined, last: boolean): boolean {
  return word === 'the' || word === 'an' || (word === 'a' && !last && (before === undefined || !lettered.has(before)));
}

function singular(word: string): string {
  if (word.length <= 3 || !word.endsWith('s') || /(?:ss|us|is)$/.test(word)) return word;
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(?:sh|ch|x|ss)es$/.test(word)) return word.slice(0, -2);
  return word.slice(0, -1);
}
