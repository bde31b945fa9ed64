import { RE2JS } from 're2js';
import { limits } from '../../lib/limits.ts';
import { jsonTexts, plainTexts, textOf, type BodyTexts } from './texts.ts';

/** A pattern that is searched in all texts of a body. Plain data: it is sent to the thread that reads large bodies. */
export interface SensitivePattern {
  /** RE2 syntax. */
  readonly source: string;
  readonly ignoreCase: boolean;
  /**
   * Also search the text with compatibility forms (full-width letters and digits, ligatures) folded and invisible characters removed; a
   * space in the pattern then matches any white space.
   */
  readonly fold: boolean;
  /** Also search decoded base64 runs of the text. */
  readonly base64: boolean;
}

export interface Inspection {
  /** For each pattern: whether it was found. */
  readonly matched: readonly boolean[];
  /** Not all texts could be read: the absence of a match then proves nothing. */
  readonly unread: boolean;
}

type SpelledPattern = Pick<SensitivePattern, 'source' | 'ignoreCase'> & Partial<Pick<SensitivePattern, 'fold'>>;

const compiled = new Map<string, RE2JS>();

/** `^` and `$` match at every line: a body's texts are joined, each on one or more lines. Throws if it is not an RE2 expression. */
export function sensitiveExpression({ source, ignoreCase, fold = false }: SpelledPattern): RE2JS {
  const key = `${ignoreCase} ${fold} ${source}`;
  let pattern = compiled.get(key);
  if (pattern === undefined) {
    if (compiled.size >= limits.rulePatterns) compiled.clear();
    compiled.set(
      key,
      (pattern = RE2JS.compile(fold ? anySpace(source) : source, RE2JS.MULTILINE | (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0))),
    );
  }
  return pattern;
}

/** The pattern with `\\s+` for its plain spaces; escaped spaces and those in classes stay. */
function anySpace(source: string): string {
  if (!source.includes(' ') || source.includes('\\Q')) return source;
  let inClass = false;
  return source.replace(/\\[^]|[[\]]| +(?![*+?{])| /g, (part, at: number) => {
    if (part === '[') inClass = true;
    else if (part === ']') inClass = false;
    if (inClass || part.trim() !== '') return part;
    return /^[*+?{]/.test(source.slice(at + part.length)) ? '\\s' : '\\s+';
  });
}

const beyondAscii = /[^\0-\x7f]/;
const invisible = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** Letters in circles, squares and brackets, and of flags: without a compatibility form, or with brackets in it. */
const framed = /[\u249c-\u24b5\u{1f110}-\u{1f129}\u{1f150}-\u{1f169}\u{1f170}-\u{1f189}\u{1f1e6}-\u{1f1ff}]/gu;
const framedFrom = [0x249c, 0x1f110, 0x1f150, 0x1f170, 0x1f1e6];
/** Spaces and line ends that RE2 does not take for white space. */
const oddSpaces = /[\u1680\u0085\u2028\u2029]/g;
/** Tag characters, by which ASCII text is written without being seen. */
const tags = /[\u{e0020}-\u{e007e}]/u;

/** Replaces full-width and other compatibility forms with their plain forms, and removes invisible characters. */
export function folded(text: string): string {
  if (!beyondAscii.test(text)) return text;
  return text.replace(framed, plainLetter).normalize('NFKC').replace(oddSpaces, ' ').replace(invisible, '');
}

function plainLetter(letter: string): string {
  const code = letter.codePointAt(0)!;
  const from = framedFrom.findLast((first) => first <= code)!;
  return String.fromCharCode(0x61 + code - from);
}

/** The ASCII text that tag characters spell, with the plain text around it; null if there are none. */
function untagged(text: string): string | null {
  if (!tags.test(text)) return null;
  return text.replace(/[\u{e0020}-\u{e007e}]/gu, (tag) => String.fromCharCode(tag.codePointAt(0)! - 0xe0000));
}

const base64Runs = /[A-Za-z0-9+/_-]{12,}={0,2}/g;
/** A line end inside a run, as mail and certificates have. */
const wrapped = /(?<=[A-Za-z0-9+/_-]{12})\r?\n(?=[A-Za-z0-9+/_-])/g;
/** Base64 in base64 is decoded this deep. */
const base64Rounds = 3;

function base64Texts(text: string): string {
  const found: string[] = [];
  for (let round = 0, from = text; round < base64Rounds && from !== ''; round++) {
    const inner: string[] = [];
    for (const part of from.includes('\n') ? [from, from.replace(wrapped, '')] : [from]) {
      for (const [run] of part.matchAll(base64Runs)) {
        const decoded = textOf(Buffer.from(run, 'base64'));
        if (decoded !== null) inner.push(decoded);
      }
    }
    from = inner.join('\n');
    found.push(from);
  }
  return found.join('\n');
}

/** Searches all patterns in all texts of a JSON body. Null if it is not JSON. */
export function inspectJson(body: Buffer, patterns: readonly SensitivePattern[]): Inspection | null {
  const texts = jsonTexts(body);
  return texts === null ? null : inspectTexts(texts, patterns);
}

/** The same for any other kind of body. */
export function inspectPlain(body: Buffer, patterns: readonly SensitivePattern[]): Inspection {
  return inspectTexts(plainTexts(body), patterns);
}

/** Searches all patterns in texts that were already read. */
export function inspectTexts({ text, unread }: BodyTexts, patterns: readonly SensitivePattern[]): Inspection {
  let foldedText: string | null = null;
  let decoded: string | null = null;
  const matched = patterns.map((pattern) => {
    const expression = sensitiveExpression(pattern);
    if (expression.test(text)) return true;
    if (pattern.fold) {
      foldedText ??= folded(text);
      if (foldedText !== text && expression.test(foldedText)) return true;
      const hidden = untagged(text);
      if (hidden !== null && expression.test(folded(hidden))) return true;
    }
    if (!pattern.base64) return false;
    decoded ??= base64Texts(text);
    return decoded !== '' && expression.test(pattern.fold ? folded(decoded) : decoded);
  });
  return { matched, unread };
}
