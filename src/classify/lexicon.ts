import { isWord } from './text-scan.ts';

/** A concept and the words that name it, in any language. */
export interface Concept {
  readonly name: string;
  /** Whole words and phrases, lower case; a trailing `*` matches any ending of the last word. */
  readonly words: readonly string[];
  /** For scripts without spaces: matched anywhere in a run of letters. */
  readonly unspaced: readonly string[];
}

interface Phrase {
  /** Tokens after the first. */
  readonly rest: readonly string[];
  /** The last token is a prefix. */
  readonly stem: boolean;
  readonly class: number;
}

interface Prefix {
  readonly text: string;
  readonly class: number;
}

/** Everything that begins with one token: the classes of the word alone, and phrases. */
interface Begun {
  classes: readonly number[];
  phrases: readonly Phrase[];
}

const nothing: readonly never[] = [];

interface UnspacedWord {
  readonly text: string;
  readonly classes: readonly number[];
}

/** No word of a script without spaces begins below the kana. */
const firstUnspacedUnit = 0x3040;

/** Maximum count per concept. */
const mostHits = 5;

/** Finds the concepts that words name. Its tables are built once; a search is linear in the text. */
export class Lexicon {
  readonly names: readonly string[];
  /**
   * Words and phrases by their (first) token; prefix words (`diagnos*`) by their first two UTF-16 units. Most words name one concept and
   * begin no phrase: they have its number in place of an object.
   */
  readonly #byToken = new Map<string, number | Begun>();
  readonly #prefixes = new Map<number, Prefix[]>();
  /** By first UTF-16 unit; longest first, so that a shorter word never hides a longer one that begins with it. */
  readonly #unspaced = new Map<number, UnspacedWord[]>();

  constructor(concepts: readonly Concept[]) {
    this.names = concepts.map(({ name }) => name);
    const unspaced = new Map<string, number[]>();
    for (const [number, { words, unspaced: runs }] of concepts.entries()) {
      for (const entry of words) this.#enter(entry, number);
      for (const word of runs) push(unspaced, word, number);
    }
    for (const [text, classes] of unspaced) push(this.#unspaced, text.charCodeAt(0), { text, classes });
    for (const list of this.#unspaced.values()) list.sort((one, other) => other.text.length - one.text.length);
  }

  #enter(entry: string, number: number): void {
    const stem = entry.endsWith('*');
    const tokens = tokensOf(stem ? entry.slice(0, -1) : entry);
    const [first] = tokens;
    if (first === undefined) return;
    if (stem && tokens.length === 1) push(this.#prefixes, prefixKey(first), { text: first, class: number });
    else if (tokens.length > 1) {
      const begun = this.#begun(first);
      begun.phrases = [...begun.phrases, { rest: tokens.slice(1), stem, class: number }];
    } else if (this.#byToken.has(first)) {
      const begun = this.#begun(first);
      begun.classes = [...begun.classes, number];
    } else this.#byToken.set(first, number);
  }

  #begun(token: string): Begun {
    const found = this.#byToken.get(token);
    if (typeof found === 'object') return found;
    const begun: Begun = { classes: found === undefined ? nothing : [found], phrases: nothing };
    this.#byToken.set(token, begun);
    return begun;
  }

  /** Adds the hits of the first `count` lower-case tokens to `hits`, one number per concept. Linear in the tokens. */
  countTokens(tokens: readonly string[], hits: Uint8Array, count: number = tokens.length): void {
    for (let i = 0; i < count; i++) this.countToken(tokens, i, hits, count);
  }

  /** The same for the token at one index. Returns false if no concept uses the token: then it never counts. */
  countToken(tokens: readonly string[], at: number, hits: Uint8Array, count: number = tokens.length): boolean {
    const token = tokens[at]!;
    const entry = this.#byToken.get(token);
    if (typeof entry === 'number') hit(hits, entry);
    else if (entry !== undefined) {
      for (const number of entry.classes) hit(hits, number);
      for (const phrase of entry.phrases) if (follows(tokens, at + 1, count, phrase)) hit(hits, phrase.class);
    }
    const stems = token.length < 3 ? undefined : this.#prefixes.get(prefixKey(token));
    let stemmed = false;
    if (stems !== undefined)
      for (const stem of stems)
        if (token.startsWith(stem.text)) {
          stemmed = true;
          hit(hits, stem.class);
        }
    return stemmed || entry !== undefined;
  }

  /** Adds the hits of Chinese, Japanese and Korean words, which do not end at spaces. */
  countUnspaced(text: string, hits: Uint8Array): void {
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit < firstUnspacedUnit) continue;
      const begun = this.#unspaced.get(unit);
      if (begun === undefined) continue;
      for (const word of begun) {
        if (!text.startsWith(word.text, at)) continue;
        for (const number of word.classes) hit(hits, number);
        at += word.text.length - 1;
        break;
      }
    }
  }
}

/** The words of an entry, as prompts are split. By hand: a regular expression with Unicode classes took a third of Sluice's start. */
export function tokensOf(entry: string): string[] {
  const tokens: string[] = [];
  let start = -1;
  for (let at = 0; at <= entry.length; at++) {
    if (at < entry.length && isWord(entry.charCodeAt(at))) {
      if (start === -1) start = at;
    } else if (start !== -1) {
      tokens.push(entry.slice(start, at));
      start = -1;
    }
  }
  return tokens;
}

function prefixKey(token: string): number {
  return (token.charCodeAt(0) << 16) | token.charCodeAt(1);
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function follows(tokens: readonly string[], at: number, count: number, { rest, stem }: Phrase): boolean {
  const last = rest.length - 1;
  if (at + last >= count) return false;
  for (let i = 0; i <= last; i++) {
    const token = tokens[at + i];
    if (token === undefined || (stem && i === last ? !token.startsWith(rest[i]!) : token !== rest[i])) return false;
  }
  return true;
}

function hit(hits: Uint8Array, number: number): void {
  if (hits[number]! < mostHits) hits[number]!++;
}
