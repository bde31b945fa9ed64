import { limits } from '../../limits.ts';
import type { SemanticMatch } from '../types.ts';
import { aboutWords, anyone, contractions, englishMarks, fillers, greetings, keepsS, lettered, openers, places, possessives, sameWord, sharedOpeners } from './words.ts';

/** Line breaks, code and markup carry meaning in their layout. */
const laidOut = /[\n\r`{}<>\\|=*_~^]|(?<!\b[CFcf])#/;

/** A quotation; a number with what joins its digits; C#; a word; any other single character. */
const tokenPattern = /"[^"]*"|“[^”]*”|«[^»]*»|‘[^’]*’(?!\p{L})|(?<![\p{L}\p{N}])'[^']*'(?!\p{L})|\d+(?:[.,:/-]\d+)*|\b[CFcf]#|[\p{L}\p{M}\p{N}]+(?:['’]\p{L}+)*|\S/gu;

const punctuation: ReadonlySet<string> = new Set(['?', '.', ',', '!', ';', ':', '…', '(', ')', '-', '–', '—', '¿', '¡']);

/** `verbatim`: a quotation, an abbreviation or a name, of which not even the last letter may change. */
interface Word {
  readonly text: string;
  readonly verbatim: boolean;
}

/**
 * Writes a question so that harmless rewrites of it become the same text: case, spaces, punctuation, articles, contractions, plurals,
 * spellings, a few words that ask the same. All else stays and keeps its order: numbers, names, negations, quotations, symbols, every
 * other word; so they must agree where two questions share an answer. `wide` also lets "how do you" be "how do I" and "are" be "is". Null
 * for a text that is not to be compared so: no English question, about words, long, of several lines, with code or markup.
 */
export function canonicalQuestion(text: string, match: SemanticMatch): string | null {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > limits.semanticUnits || laidOut.test(trimmed)) return null;
  const found = wordsOf(trimmed);
  if (found.some(({ text: word }) => aboutWords.has(word)) || !isEnglish(found)) return null;
  const out = foldEnglish(withoutCourtesy(found), match === 'wide');
  return openers.has(out[0] ?? '') ? sortOperands(out.join(' ').replace(/^what should i do (?=if |when |after |about |with )/, 'what do i do ')) : null;
}

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
    const named = capitals && index > 0 && /^\p{Lu}/u.test(token) && token !== 'I';
    // IT is not it, US is not us, and the A of vitamin A is no article.
    if (named && /^\p{Lu}{1,5}$/u.test(token)) {
      words.push({ text: token === 'USA' ? 'america' : token, verbatim: true });
      continue;
    }
    const lower = token.toLowerCase().replaceAll('’', "'");
    for (const word of (contractions.get(lower) ?? lower).split(' ')) words.push({ text: word, verbatim: named });
  }
  return words;
}

/** Whether a capital makes a name: not in a text of capitals, nor in a title, where most words have one. */
function capitalsSay(text: string, tokens: readonly string[]): boolean {
  if (text === text.toUpperCase()) return false;
  const long = tokens.slice(1).filter((token) => /^\p{L}{4,}/u.test(token));
  return long.filter((token) => /^\p{Lu}/u.test(token)).length <= long.length * 0.6;
}

const courtesy = /^(?:(?:hi|hello|hey) )?(?:please )?(?:(?:can|could|would|will) you (?:please )?)?(?:tell me (?=(?:how|what|which|why|where|when|who|whose|if|whether) )|(?=(?:tell|explain|describe|define) ))/;

/** "Could you please tell me what …" asks "what …", and "could you explain …" is "explain …". */
function withoutCourtesy(words: readonly Word[]): readonly Word[] {
  const found = courtesy.exec(words.map(({ text }) => text).join(' '))?.[0].trim() ?? '';
  return found === '' ? words : words.slice(found.split(' ').length);
}

function foldEnglish(words: readonly Word[], wide: boolean): string[] {
  const out: string[] = [];
  for (const [index, { text, verbatim }] of words.entries()) {
    const last = index === words.length - 1;
    if (isArticle(text, out.at(-1), last) || fillers.has(text) || (index === 0 && !last && greetings.has(text))) continue;
    addWord(out, sameWord.get(text) ?? (verbatim || keepsS.has(text) ? text : singular(text)), wide);
  }
  return out;
}

function isArticle(word: string, before: string | undefined, last: boolean): boolean {
  return word === 'the' || word === 'an' || (word === 'a' && !last && (before === undefined || !lettered.has(before)));
}

function addWord(out: string[], word: string, wide: boolean): void {
  const [second, before] = [out.at(-2), out.at(-1)];
  if (word === 'to' && before === 'how' && out.length === 1) {
    out.push('do', 'i');
  } else if (before === 'how' && (word === 'can' || word === 'could' || word === 'should' || word === 'would')) {
    // "How can I" and "how do I" ask the same; "can I" does not.
    out.push('do');
  } else if (before === 'where' && (word === 'can' || word === 'could' || word === 'should')) {
    out.push('do');
  } else if (wide && before === 'do' && (second === 'how' || second === 'where') && anyone.has(word)) {
    out.push('i');
  } else if (wide && word === 'are') {
    out.push('is');
  } else if (out.length > 0 && places.has(word)) {
    out.push('in');
  } else if (!(possessives.has(word) && out[0] === 'how' && out[1] === 'do' && out[2] === 'i')) {
    out.push(word);
  }
}

function singular(word: string): string {
  if (word.length <= 3 || !word.endsWith('s') || /(?:ss|us|is)$/.test(word)) return word;
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`;
  return word.slice(0, -1);
}

/** The difference between two things is the same from either side. */
function sortOperands(question: string): string {
  return question.replace(/^(what is (?:main |major |basic )?difference between )(.+?) and ((?:(?! and ).)+)$/, (_all, head: string, a: string, b: string) => (a < b ? `${head}${a} and ${b}` : `${head}${b} and ${a}`));
}
