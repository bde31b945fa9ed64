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

/**
 * Numbers of about 0 to 1 that describe the form of a text: length, digits, options, signs, opening words. `tokens`: the lower-case words
 * found by textFeatures(); `distinctWords`: how many of them differ. Fills `out`; linear in the excerpt.
 */
export function shapeFeatures(text: string, tokens: readonly string[], distinctWords: number, out: Float64Array): void {
  const part = excerpt(text);
  let digits = 0;
  let numbers = 0;
  let capitals = 0;
  let names = 0;
  let punctuation = 0;
  let operators = 0;
  let latex = 0;
  let code = 0;
  let lines = 1;
  let options = 0;
  let optionUnits = 0;
  let longestOption = 0;
  let numericOptions = 0;
  let optionFrom = -1;
  let stemUnits = -1;
  let questions = 0;
  let sentences = 0;
  let sentenceFrom = 0;
  let lastSentence = 0;
  let blanks = 0;
  let money = 0;
  let percent = 0;
  let quotes = 0;
  let nonAscii = 0;
  let lineStart = true;
  let before = 0x0a;
  let ended = true;
  const size = part.length;
  for (let i = 0; i < size; i++) {
    const unit = part.charCodeAt(i);
    if (lineStart) {
      lineStart = false;
      if (isOption(part, i)) {
        if (optionFrom !== -1) {
          const length = i - optionFrom;
          optionUnits += length;
          if (length > longestOption) longestOption = length;
        } else stemUnits = i;
        options++;
        optionFrom = i;
        if (startsNumber(part, i + 2)) numericOptions++;
      }
    }
    if (unit >= 0x61 && unit <= 0x7a) {
      // Most units are lower-case letters.
      ended = false;
    } else if (unit === 0x20) {
      before = unit;
      continue;
    } else if (unit >= 0x41 && unit <= 0x5a) {
      capitals++;
      if (before === 0x20 && !ended) names++;
      ended = false;
    } else if (unit >= 0x30 && unit <= 0x39) {
      digits++;
      if (before < 0x30 || before > 0x39) numbers++;
      ended = false;
    } else if (unit >= 0x80) nonAscii++;
    else {
      switch (unit) {
        case 0x0a:
          lines++;
          lineStart = true;
          ended = true;
          break;
        case 0x3f:
        case 0x2e:
        case 0x21:
          if (unit === 0x3f) questions++;
          if (before < 0x30 || before > 0x39 || unit !== 0x2e) {
            if (!ended) {
              sentences++;
              if (options === 0) lastSentence = i - sentenceFrom;
            }
            sentenceFrom = i + 1;
            ended = true;
          }
          punctuation++;
          break;
        case 0x2b:
        case 0x2a:
        case 0x2f:
        case 0x3d:
        case 0x5e:
        case 0x3c:
        case 0x3e:
          operators++;
          break;
        case 0x5c:
          latex++;
          break;
        case 0x24:
          if (part.charCodeAt(i + 1) >= 0x30 && part.charCodeAt(i + 1) <= 0x39 && before === 0x20) money++;
          else latex++;
          break;
        case 0x25:
          percent++;
          break;
        case 0x22:
          quotes++;
          break;
        case 0x5f:
          if (before === 0x5f) blanks++;
          else code++;
          break;
        case 0x28:
        case 0x29:
        case 0x5b:
        case 0x5d:
        case 0x7b:
        case 0x7d:
        case 0x3b:
          code++;
          break;
        default:
          punctuation++;
      }
    }
    before = unit;
  }
  if (optionFrom !== -1) {
    const length = size - optionFrom;
    optionUnits += length;
    if (length > longestOption) longestOption = length;
  }
  if (stemUnits === -1) stemUnits = size;
  if (options === 0 && size - sentenceFrom > 8) lastSentence = size - sentenceFrom;

  let letters = 0;
  let long = 0;
  let usual = 0;
  let negated = 0;
  let people = 0;
  let statements = 0;
  let multiples = 0;
  let conditions = 0;
  let asked = 0;
  const count = tokens.length;
  for (let i = 0; i < count; i++) {
    const token = tokens[i]!;
    letters += token.length;
    if (token.length >= 9) long++;
    const bits = classesOf.get(token);
    if (bits === undefined) continue;
    if ((bits & common) !== 0) usual++;
    if ((bits & negation) !== 0) negated++;
    if ((bits & person) !== 0) people++;
    if ((bits & stated) !== 0) statements++;
    if ((bits & multiplied) !== 0) multiples++;
    if ((bits & condition) !== 0) conditions++;
    asked |= bits;
  }
  const first = classesOf.get(tokens[0] ?? '') ?? 0;
  const asks = (word: number): number => ((first & (firstAsking << word)) !== 0 ? 1 : (asked & (firstAsking << word)) !== 0 ? 0.5 : 0);
  const words = Math.max(1, count);
  const units = Math.max(1, size);
  const log = (value: number, most: number): number => Math.log2(1 + value) / most;
  let j = 0;
  out[j++] = log(text.length, 12);
  out[j++] = log(count, 10);
  out[j++] = letters / words / 8;
  out[j++] = long / words;
  out[j++] = distinctWords / words;
  out[j++] = usual / words;
  out[j++] = digits / units;
  out[j++] = log(numbers, 5);
  out[j++] = capitals / units;
  out[j++] = names / words;
  out[j++] = punctuation / units;
  out[j++] = log(operators, 5);
  out[j++] = log(latex, 5);
  out[j++] = log(code, 6);
  out[j++] = log(lines, 5);
  out[j++] = Math.min(10, options) / 10;
  out[j++] = options === 0 ? 0 : log(optionUnits / options, 8);
  out[j++] = options === 0 ? 0 : log(longestOption, 9);
  out[j++] = options === 0 ? 0 : numericOptions / options;
  out[j++] = log(stemUnits, 11);
  out[j++] = log(questions, 3);
  out[j++] = log(sentences, 5);
  out[j++] = log(lastSentence, 9);
  out[j++] = blanks > 0 ? 1 : 0;
  out[j++] = log(negated, 4);
  out[j++] = people / words;
  out[j++] = log(money, 4);
  out[j++] = log(percent, 4);
  out[j++] = log(quotes, 4);
  out[j++] = nonAscii / units;
  out[j++] = asks(0);
  out[j++] = asks(1);
  out[j++] = asks(2);
  out[j++] = asks(3);
  out[j++] = asks(4);
  out[j++] = asks(5);
  out[j++] = (asked & (firstAsking << 5)) !== 0 ? asksHowMany(tokens) : 0;
  out[j++] = log(conditions, 3);
  out[j++] = (first & imperative) !== 0 ? 1 : 0;
  out[j++] = log(statements, 4);
  out[j++] = log(multiples, 4);
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
