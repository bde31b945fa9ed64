import { excerpt } from '../../classify/features.ts';

/** Names of the shape features, in the order of the values of shapeFeatures(). */
export const shapeNames = [
  'textLength',
  'words',
  'wordLength',
  'longWords',
  'distinctWords',
  'commonWords',
  'digits',
  'numbers',
  'capitals',
  'names',
  'punctuation',
  'operators',
  'latex',
  'codeSigns',
  'lines',
  'options',
  'optionLength',
  'longestOption',
  'numericOptions',
  'stemLength',
  'questionMarks',
  'sentences',
  'lastSentence',
  'blanks',
  'negations',
  'persons',
  'money',
  'percentSigns',
  'quotes',
  'nonAscii',
  'asksWhat',
  'asksWhich',
  'asksWho',
  'asksWhen',
  'asksWhere',
  'asksHow',
  'asksHowMany',
  'conditional',
  'imperative',
  'statements',
  'multiplied',
] as const;

/** Word classes as bits, so that one lookup per word is enough. */
const common = 1;
const negation = 2;
const person = 4;
const imperative = 8;
const stated = 16;
const multiplied = 32;
const condition = 64;
const firstAsking = 128;
const asking = ['what', 'which', 'who', 'when', 'where', 'how'] as const;

const classesOf = new Map<string, number>();
function say(bit: number, words: string): void {
  for (const word of words.split(' ')) classesOf.set(word, (classesOf.get(word) ?? 0) | bit);
}
say(
  common,
  'the of and a to in is that it for on as with was are be by at or this from which an have not has were but can one all there when more if will would what who so no their they he she his her its than also been about into other some these only may any most such then two do each how many much does did',
);
say(negation, 'not except never none least false incorrect cannot no without nor unless');
say(person, 'he she his her him they their i my me we our you your');
say(
  imperative,
  'write find calculate compute give create implement explain describe solve determine evaluate simplify list complete generate make design prove show compose draft summarize translate let suppose',
);
say(stated, 'statement scenario premise argument following clue clues passage information');
say(multiplied, 'times twice half double triple per each total average remaining percent more less fewer every altogether');
say(condition, 'if suppose assume');
for (const [at, word] of asking.entries()) say(firstAsking << at, word);

/** What a text's letters and signs say of its form. Counts, but for the positions. */
class Signs {
  digits = 0;
  numbers = 0;
  capitals = 0;
  names = 0;
  punctuation = 0;
  operators = 0;
  latex = 0;
  code = 0;
  lines = 1;
  options = 0;
  optionUnits = 0;
  longestOption = 0;
  numericOptions = 0;
  stemUnits = -1;
  questions = 0;
  sentences = 0;
  lastSentence = 0;
  blanks = 0;
  money = 0;
  percent = 0;
  quotes = 0;
  nonAscii = 0;
  #optionFrom = -1;
  #sentenceFrom = 0;
  #lineStart = true;
  #ended = true;

  /** Reads the excerpt of a text. Linear in it. */
  read(part: string): void {
    const size = part.length;
    let before = 0x0a;
    for (let i = 0; i < size; i++) {
      const unit = part.charCodeAt(i);
      if (this.#lineStart) this.#line(part, i);
      if (unit >= 0x61 && unit <= 0x7a) {
        // Most units are lower-case letters.
        this.#ended = false;
      } else if (unit === 0x20) {
        before = unit;
        continue;
      } else if (unit >= 0x41 && unit <= 0x5a) {
        this.capitals++;
        if (before === 0x20 && !this.#ended) this.names++;
        this.#ended = false;
      } else if (unit >= 0x30 && unit <= 0x39) {
        this.digits++;
        if (!isDigit(before)) this.numbers++;
        this.#ended = false;
      } else if (unit >= 0x80) this.nonAscii++;
      else this.#sign(part, i, before);
      before = unit;
    }
    if (this.#optionFrom !== -1) this.#option(size);
    if (this.stemUnits === -1) this.stemUnits = size;
    if (this.options === 0 && size - this.#sentenceFrom > 8) this.lastSentence = size - this.#sentenceFrom;
  }

  /** The start of a line: whether it is an option of a choice. */
  #line(part: string, at: number): void {
    this.#lineStart = false;
    if (!isOption(part, at)) return;
    if (this.#optionFrom === -1) this.stemUnits = at;
    else this.#option(at);
    this.options++;
    this.#optionFrom = at;
    if (startsNumber(part, at + 2)) this.numericOptions++;
  }

  /** The end of an option. */
  #option(at: number): void {
    const length = at - this.#optionFrom;
    this.optionUnits += length;
    if (length > this.longestOption) this.longestOption = length;
  }

  /** A sign of ASCII that is no letter, digit or space. */
  #sign(part: string, at: number, before: number): void {
    const unit = part.charCodeAt(at);
    switch (unit) {
      case 0x0a:
        this.lines++;
        this.#lineStart = true;
        this.#ended = true;
        break;
      case 0x3f:
      case 0x2e:
      case 0x21:
        if (unit === 0x3f) this.questions++;
        if (unit !== 0x2e || !isDigit(before)) this.#sentence(at);
        this.punctuation++;
        break;
      case 0x2b:
      case 0x2a:
      case 0x2f:
      case 0x3d:
      case 0x5e:
      case 0x3c:
      case 0x3e:
        this.operators++;
        break;
      case 0x5c:
        this.latex++;
        break;
      case 0x24:
        if (isDigit(part.charCodeAt(at + 1)) && before === 0x20) this.money++;
        else this.latex++;
        break;
      case 0x25:
        this.percent++;
        break;
      case 0x22:
        this.quotes++;
        break;
      case 0x5f:
        if (before === 0x5f) this.blanks++;
        else this.code++;
        break;
      case 0x28:
      case 0x29:
      case 0x5b:
      case 0x5d:
      case 0x7b:
      case 0x7d:
      case 0x3b:
        this.code++;
        break;
      default:
        this.punctuation++;
    }
  }

  /** The end of a sentence. */
  #sentence(at: number): void {
    if (!this.#ended) {
      this.sentences++;
      if (this.options === 0) this.lastSentence = at - this.#sentenceFrom;
    }
    this.#sentenceFrom = at + 1;
    this.#ended = true;
  }
}

/** What a text's words say of its form. */
class Words {
  letters = 0;
  long = 0;
  usual = 0;
  negated = 0;
  people = 0;
  statements = 0;
  multiples = 0;
  conditions = 0;
  /** The classes of all words, and those of the first. */
  asked = 0;
  readonly first: number;

  constructor(tokens: readonly string[]) {
    this.first = classesOf.get(tokens[0] ?? '') ?? 0;
    for (const token of tokens) {
      this.letters += token.length;
      if (token.length >= 9) this.long++;
      const bits = classesOf.get(token);
      if (bits === undefined) continue;
      if ((bits & common) !== 0) this.usual++;
      if ((bits & negation) !== 0) this.negated++;
      if ((bits & person) !== 0) this.people++;
      if ((bits & stated) !== 0) this.statements++;
      if ((bits & multiplied) !== 0) this.multiples++;
      if ((bits & condition) !== 0) this.conditions++;
      this.asked |= bits;
    }
  }

  /** 1: it begins with this question word; 0.5: it has it. */
  asks(word: number): number {
    const bit = firstAsking << word;
    return (this.first & bit) !== 0 ? 1 : (this.asked & bit) !== 0 ? 0.5 : 0;
  }
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

function log(value: number, most: number): number {
  return Math.log2(1 + value) / most;
}

/**
 * Numbers of about 0 to 1 that describe the form of a text: length, digits, options, signs, opening words. `tokens`: the lower-case words
 * found by textFeatures(); `distinctWords`: how many of them differ. Fills `out`; linear in the excerpt.
 */
export function shapeFeatures(text: string, tokens: readonly string[], distinctWords: number, out: Float64Array): void {
  const part = excerpt(text);
  const signs = new Signs();
  signs.read(part);
  const said = new Words(tokens);
  const count = tokens.length;
  const words = Math.max(1, count);
  const units = Math.max(1, part.length);
  const { options } = signs;
  let j = 0;
  out[j++] = log(text.length, 12);
  out[j++] = log(count, 10);
  out[j++] = said.letters / words / 8;
  out[j++] = said.long / words;
  out[j++] = distinctWords / words;
  out[j++] = said.usual / words;
  out[j++] = signs.digits / units;
  out[j++] = log(signs.numbers, 5);
  out[j++] = signs.capitals / units;
  out[j++] = signs.names / words;
  out[j++] = signs.punctuation / units;
  out[j++] = log(signs.operators, 5);
  out[j++] = log(signs.latex, 5);
  out[j++] = log(signs.code, 6);
  out[j++] = log(signs.lines, 5);
  out[j++] = Math.min(10, options) / 10;
  out[j++] = options === 0 ? 0 : log(signs.optionUnits / options, 8);
  out[j++] = options === 0 ? 0 : log(signs.longestOption, 9);
  out[j++] = options === 0 ? 0 : signs.numericOptions / options;
  out[j++] = log(signs.stemUnits, 11);
  out[j++] = log(signs.questions, 3);
  out[j++] = log(signs.sentences, 5);
  out[j++] = log(signs.lastSentence, 9);
  out[j++] = signs.blanks > 0 ? 1 : 0;
  out[j++] = log(said.negated, 4);
  out[j++] = said.people / words;
  out[j++] = log(signs.money, 4);
  out[j++] = log(signs.percent, 4);
  out[j++] = log(signs.quotes, 4);
  out[j++] = signs.nonAscii / units;
  for (let word = 0; word < asking.length; word++) out[j++] = said.asks(word);
  out[j++] = (said.asked & (firstAsking << 5)) !== 0 ? asksHowMany(tokens) : 0;
  out[j++] = log(said.conditions, 3);
  out[j++] = (said.first & imperative) !== 0 ? 1 : 0;
  out[j++] = log(said.statements, 4);
  out[j++] = log(said.multiples, 4);
}

function asksHowMany(tokens: readonly string[]): number {
  for (let i = tokens.indexOf('how'); i !== -1; i = tokens.indexOf('how', i + 1)) {
    const next = tokens[i + 1];
    if (next === 'many' || next === 'much' || next === 'long' || next === 'far' || next === 'old') return 1;
  }
  return 0;
}

/** A letter or digit with a dot or bracket at the start of a line: `A. `, `(b) `, `C) `. */
function isOption(text: string, at: number): boolean {
  const from = text.charCodeAt(at) === 0x28 ? at + 1 : at;
  const letter = text.charCodeAt(from) | 0x20;
  if (letter < 0x61 || letter > 0x6a) return false;
  const close = text.charCodeAt(from + 1);
  return (close === 0x2e || close === 0x29 || close === 0x3a) && text.charCodeAt(from + 2) === 0x20;
}

function startsNumber(text: string, at: number): boolean {
  for (let i = at; i < at + 4; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x30 && unit <= 0x39) return true;
    if ((unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a) return false;
  }
  return false;
}
