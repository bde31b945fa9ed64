import { isUtf8 } from 'node:buffer';
import { RE2JS } from 're2js';
import { limits } from '../../lib/limits.ts';
import { jsonTexts, plainTexts, type BodyTexts } from './texts.ts';

/** A pattern that is searched in all texts of a body. Plain data: it is sent to the thread that reads large bodies. */
export interface SensitivePattern {
  /** RE2 syntax. */
  readonly source: string;
  readonly ignoreCase: boolean;
  /** Also search the text with compatibility forms (full-width letters and digits, ligatures) folded and invisible characters removed. */
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

const compiled = new Map<string, RE2JS>();

/** `^` and `$` match at every line: a body's texts are joined, each on one or more lines. Throws if it is not an RE2 expression. */
export function sensitiveExpression({ source, ignoreCase }: Pick<SensitivePattern, 'source' | 'ignoreCase'>): RE2JS {
  const key = `${ignoreCase} ${source}`;
  let pattern = compiled.get(key);
  if (pattern === undefined) {
    if (compiled.size >= limits.rulePatterns) compiled.clear();
    compiled.set(key, (pattern = RE2JS.compile(source, RE2JS.MULTILINE | (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0))));
  }
  return pattern;
}

const beyondAscii = /[^\0-\x7f]/;
const invisible = /[\p{Cf}\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00-\ufe0f\uffa0]/gu;

/** Replaces full-width and other compatibility forms with their plain forms, and removes invisible characters. */
export function folded(text: string): string {
  return beyondAscii.test(text) ? text.normalize('NFKC').replace(invisible, '') : text;
}

const base64Runs = /[A-Za-z0-9+/_-]{12,}={0,2}/g;

function base64Texts(text: string): string {
  const found: string[] = [];
  for (const [run] of text.matchAll(base64Runs)) {
    const bytes = Buffer.from(run, 'base64');
    if (isUtf8(bytes)) found.push(bytes.toString('utf8'));
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
    }
    if (!pattern.base64) return false;
    decoded ??= base64Texts(text);
    return decoded !== '' && expression.test(pattern.fold ? folded(decoded) : decoded);
  });
  return { matched, unread };
}
