/** Counts from one pass over a lower-cased text. */
export interface TextScan {
  /** Runs of letters, marks and digits, in order. */
  readonly tokens: string[];
  /** Han, kana and Hangul characters. */
  readonly cjk: number;
  readonly questions: number;
  /** Commas, colons and the like, and the bullets and numbers that begin lines. */
  readonly listItems: number;
  /** Fences, and lines that look like code. */
  readonly codeFences: number;
  /** Mathematical signs, powers, comparisons with a number. */
  readonly formal: number;
}

const newline = 0x0a;
const space = 0x20;

/** Scans a text once, by UTF-16 unit, without a regular expression. */
export function scanText(text: string): TextScan {
  const tokens: string[] = [];
  let cjk = 0;
  let questions = 0;
  let listItems = 0;
  let codeFences = 0;
  let formal = 0;
  let start = -1;
  let last = newline;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (isWord(unit)) {
      if (start === -1) start = at;
      if (isCjk(unit)) cjk++;
      else if (unit <= 0x39 && unit >= 0x30 && (last === 0x5e || last === 0x3d || last === 0x3c || last === 0x3e)) formal++;
      last = unit;
      continue;
    }
    if (start !== -1) {
      tokens.push(text.slice(start, at));
      start = -1;
    }
    switch (unit) {
      case space:
        // A space keeps `last`, so that "= 3" reads like "=3".
        continue;
      case newline:
        if (last === 0x7b || last === 0x7d || last === 0x3b) codeFences++;
        if (beginsItem(text, at + 1)) listItems++;
        else if (isIndented(text, at + 1)) codeFences++;
        break;
      case 0x3f: // ?
      case 0xff1f: // ？
      case 0x61f: // ؟
        questions++;
        break;
      case 0x2c: // ,
      case 0x3b: // ;
      case 0x3a: // :
      case 0x3001: // 、
      case 0xff0c: // ，
      case 0xff1b: // ；
      case 0xff1a: // ：
        listItems++;
        break;
      case 0x60: // `
        if (text.startsWith('```', at)) {
          codeFences++;
          at += 2;
        }
        break;
      default:
        if (unit >= 0x2190 && unit <= 0x22ff) formal++;
    }
    last = unit;
  }
  if (start !== -1) tokens.push(text.slice(start));
  return { tokens, cjk, questions, listItems, codeFences, formal };
}

/** Letters, marks, digits and underscores; above ASCII everything but the blocks of punctuation, signs and spaces. */
export function isWord(unit: number): boolean {
  if (unit < 0x80)
    return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39) || unit === 0x5f || (unit >= 0x41 && unit <= 0x5a);
  if (unit < 0xc0) return unit === 0xaa || unit === 0xb5 || unit === 0xba;
  if (unit >= 0x2000 && unit <= 0x2bff) return false;
  if (unit >= 0x3000 && unit <= 0x303f) return false;
  if (unit >= 0xff00 && unit <= 0xff65)
    return (unit >= 0xff10 && unit <= 0xff19) || (unit >= 0xff21 && unit <= 0xff3a) || (unit >= 0xff41 && unit <= 0xff5a);
  return unit !== 0xd7 && unit !== 0xf7 && unit !== 0x61f && unit !== 0x60c && unit !== 0x964;
}

function isCjk(unit: number): boolean {
  return (unit >= 0x3040 && unit <= 0x30ff) || (unit >= 0x3400 && unit <= 0x9fff) || (unit >= 0xac00 && unit <= 0xd7af);
}

/** A bullet, or a number with a dot or bracket, after the line's indentation. */
function beginsItem(text: string, from: number): boolean {
  let at = from;
  while (text.charCodeAt(at) === space) at++;
  const unit = text.charCodeAt(at);
  if (unit === 0x2d || unit === 0x2a || unit === 0x2022) return true;
  let digits = 0;
  while (digits < 3 && text.charCodeAt(at + digits) >= 0x30 && text.charCodeAt(at + digits) <= 0x39) digits++;
  const close = text.charCodeAt(at + digits);
  return digits > 0 && (close === 0x2e || close === 0x29);
}

/** Four spaces or a tab, followed by any other character. */
function isIndented(text: string, from: number): boolean {
  if (text.charCodeAt(from) === 0x09) return text.charCodeAt(from + 1) > space;
  return text.startsWith('    ', from) && text.charCodeAt(from + 4) > space;
}
