import { entryOf, flag, HashTable, hit, powerOfTwo, Roll, type SavedTable } from './hash-table.ts';
import { isWord } from './text-scan.ts';

/** A concept and the words that name it, in any language. */
export interface Concept {
  readonly name: string;
  /** Whole words and phrases, lower case; a trailing `*` matches any ending of the last word. */
  readonly words: readonly string[];
  /** For scripts without spaces: matched anywhere in a run of letters. */
  readonly unspaced: readonly string[];
}

/** What a token by itself names, as `Lexicon.known` found it. */
export interface KnownToken {
  /** As a whole word. */
  readonly entry: number;
  /** The stems with which it begins. */
  readonly stems: readonly number[];
  /** What was read of it, from which phrases go on. */
  readonly roll: Roll;
}

/** A lexicon as numbers. */
export interface SavedLexicon {
  readonly names: readonly string[];
  readonly begins: Uint8Array;
  readonly longestStem: number;
  readonly longestRun: number;
  readonly table: SavedTable;
}

/** Shortest stem of a single word that any token is compared with, in UTF-16 units. */
const shortestStem = 3;
/** No word of a script without spaces begins below the kana. */
const firstUnspacedUnit = 0x3040;

/** What a hash stands for. The same text has another hash as each of them. */
const as = { word: 0x5bd1e995, stem: 0x1b873593, run: 0x38b34ae5 } as const;
const bit = { stem: 1, run: 2 } as const;

/**
 * Finds the concepts that words name. A search is linear in the text. Tens of thousands of entries are kept as hashes in one table: as
 * strings they took five times the memory. Two hashes, 48 bits in all, keep other words from being taken for one.
 */
export class Lexicon {
  readonly names: readonly string[];
  /** Of words, of phrases' beginnings and ends, of stems, and of words of scripts without spaces. */
  #table: HashTable;
  /** Bits for the beginnings of stems and of words without spaces: most tokens have none and are not looked up. */
  #begins: Uint8Array;
  /** What a search reads, and the stems that it tries at the end of a phrase. */
  readonly #roll = new Roll();
  readonly #stems = new Roll();
  #longestStem = 0;
  #longestRun = 0;
  /** Shorter stems of single words, which only a policy has. */
  readonly #short: { readonly text: string; readonly class: number }[] = [];

  constructor(concepts: readonly Concept[]) {
    this.names = concepts.map(({ name }) => name);
    const entries = concepts.reduce((sum, { words, unspaced }) => sum + words.length + unspaced.length, 0);
    this.#table = new HashTable(entries);
    this.#begins = new Uint8Array(powerOfTwo(Math.min(1 << 16, 4 * entries)));
    for (const [number, { words, unspaced }] of concepts.entries()) {
      for (const entry of words) this.#enter(entry, number);
      for (const run of unspaced) this.#enterRun(run, number);
    }
  }

  /** The lexicon that `save` gave. */
  static restore({ names, begins, longestStem, longestRun, table }: SavedLexicon): Lexicon {
    const lexicon = new Lexicon(names.map((name) => ({ name, words: [], unspaced: [] })));
    lexicon.#table = HashTable.restore(table);
    lexicon.#begins = begins;
    lexicon.#longestStem = longestStem;
    lexicon.#longestRun = longestRun;
    return lexicon;
  }

  /** What it holds. Throws RangeError if it has stems of less than three units. */
  save(): SavedLexicon {
    if (this.#short.length > 0) throw new RangeError('short stems are not saved');
    return {
      names: this.names,
      begins: this.#begins,
      longestStem: this.#longestStem,
      longestRun: this.#longestRun,
      table: this.#table.save(),
    };
  }

  #enter(entry: string, number: number): void {
    const stem = entry.endsWith('*');
    const tokens = tokensOf(stem ? entry.slice(0, -1) : entry);
    const last = tokens.length - 1;
    if (last === -1) return;
    const only = tokens[last]!;
    if (stem && last === 0 && only.length < shortestStem) {
      this.#short.push({ text: only, class: number });
      return;
    }
    const roll = this.#roll.start(as.word);
    for (const [at, token] of tokens.slice(0, -1).entries()) {
      this.#table.mark(roll.text(token), stem && at === last - 1 ? flag.on | flag.stem : flag.on);
      roll.next();
    }
    if (!stem) this.#table.add(roll.text(only), number);
    else {
      roll.as(as.stem);
      if (last === 0) this.#begins[this.#beginning(only)]! |= bit.stem;
      this.#longestStem = Math.max(this.#longestStem, only.length);
      this.#table.add(roll.text(only), number);
    }
  }

  #enterRun(run: string, number: number): void {
    if (run === '') return;
    this.#begins[run.charCodeAt(0) & (this.#begins.length - 1)]! |= bit.run;
    this.#longestRun = Math.max(this.#longestRun, run.length);
    this.#table.add(this.#roll.start(as.run).text(run), number);
  }

  /** Adds the hits of the first `count` lower-case tokens to `hits`, one number per concept. Linear in the tokens. */
  countTokens(tokens: readonly string[], hits: Uint8Array, count: number = tokens.length): void {
    for (let i = 0; i < count; i++) this.countToken(tokens, i, hits, count);
  }

  /** The same for the token at one index. */
  countToken(tokens: readonly string[], at: number, hits: Uint8Array, count: number = tokens.length): void {
    const token = tokens[at]!;
    const entry = this.#table.find(this.#roll.start(as.word).text(token));
    if (entry !== 0) {
      this.#table.hit(entry, hits);
      if ((entry & flag.on) !== 0) this.#follow(tokens, at + 1, count, entry, hits);
    }
    if (this.#beginsStem(token)) this.#hitStems(this.#roll.start(as.word), token, shortestStem, hits);
    for (const { text, class: number } of this.#short) if (token.startsWith(text)) hit(hits, number);
  }

  /** What a token names, for callers that meet it again; null if no concept uses it. */
  known(token: string): KnownToken | null {
    const roll = this.#roll.start(as.word).text(token).copy();
    const entry = this.#table.find(roll);
    const stems = this.#beginsStem(token) ? this.#stemsOf(token) : [];
    for (const { text, class: number } of this.#short) if (token.startsWith(text)) stems.push(entryOf(number));
    return entry === 0 && stems.length === 0 ? null : { entry, stems, roll };
  }

  /** What `countToken` counts for the token at one index, which is known. */
  countKnown({ entry, stems, roll }: KnownToken, tokens: readonly string[], at: number, hits: Uint8Array, count: number): void {
    this.#table.hit(entry, hits);
    if ((entry & flag.on) !== 0) {
      this.#roll.from(roll);
      this.#follow(tokens, at + 1, count, entry, hits);
    }
    for (let i = 0; i < stems.length; i++) this.#table.hit(stems[i]!, hits);
  }

  /** Counts the phrases that go on at `at`, after the beginning that `entry` is. */
  #follow(tokens: readonly string[], at: number, count: number, entry: number, hits: Uint8Array): void {
    const roll = this.#roll;
    for (let next = at; (entry & flag.on) !== 0 && next < count; next++) {
      const token = tokens[next];
      if (token === undefined) return;
      roll.next();
      if ((entry & flag.stem) !== 0) this.#hitStems(this.#stems.from(roll), token, 1, hits);
      entry = this.#table.find(roll.text(token));
      this.#table.hit(entry, hits);
    }
  }

  /** Counts the stems, of `least` units at least, with which a token begins. */
  #hitStems(roll: Roll, token: string, least: number, hits: Uint8Array): void {
    roll.as(as.stem);
    const most = Math.min(token.length, this.#longestStem);
    for (let length = 1; length <= most; length++) {
      roll.unit(token.charCodeAt(length - 1));
      if (length >= least) this.#table.hit(this.#table.find(roll), hits);
    }
  }

  /** Entries of the stems of single words with which a token begins. */
  #stemsOf(token: string): number[] {
    const roll = this.#roll.start(as.word);
    roll.as(as.stem);
    const found: number[] = [];
    const most = Math.min(token.length, this.#longestStem);
    for (let length = 1; length <= most; length++) {
      roll.unit(token.charCodeAt(length - 1));
      const entry = length < shortestStem ? 0 : this.#table.find(roll);
      if (entry !== 0) found.push(entry);
    }
    return found;
  }

  /** False for most tokens without a stem. */
  #beginsStem(token: string): boolean {
    return token.length >= shortestStem && (this.#begins[this.#beginning(token)]! & bit.stem) !== 0;
  }

  /** Adds the hits of Chinese, Japanese and Korean words, which do not end at spaces. A shorter word never hides a longer one. */
  countUnspaced(text: string, hits: Uint8Array): void {
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit < firstUnspacedUnit || (this.#begins[unit & (this.#begins.length - 1)]! & bit.run) === 0) continue;
      const roll = this.#roll.start(as.run);
      let longest = 0;
      let found = 0;
      const most = Math.min(this.#longestRun, text.length - at);
      for (let length = 1; length <= most; length++) {
        roll.unit(text.charCodeAt(at + length - 1));
        const entry = this.#table.find(roll);
        if (entry === 0) continue;
        longest = length;
        found = entry;
      }
      if (longest === 0) continue;
      this.#table.hit(found, hits);
      at += longest - 1;
    }
  }

  /** Where the bits of a token's first three units are. */
  #beginning(token: string): number {
    const mixed = Math.imul(Math.imul(token.charCodeAt(0), 0x3d4d51) ^ token.charCodeAt(1), 0x3d4d51) ^ token.charCodeAt(2);
    return (mixed ^ (mixed >>> 16)) & (this.#begins.length - 1);
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
