import { isUtf8 } from 'node:buffer';
import { RE2JS } from 're2js';
import { limits } from '../../lib/limits.ts';
import { jsonTexts, plainTexts, type BodyTexts } from './texts.ts';

/** A pattern that is looked for in all texts of a body. Plain data: it goes to the thread that reads large bodies. */
export interface SensitivePattern {
  /** RE2 syntax. */
  readonly source: string;
  readonly ignoreCase: boolean;
  /** Also in the text with compatibility forms (full-width letters and digits, ligatures) folded and invisible characters left out. */
  readonly fold: boolean;
  /** Also in what base64 runs of the text say. */
  readonly base64: boolean;
}

export interface Inspection {
  /** For each pattern: whether it was found. */
  readonly matched: readonly boolean[];
  /** Not all could be read: no match says nothing then. */
  readonly unread: boolean;
}

const compiled = new Map<string, RE2JS>();

/** `^` and `$` are any line's ends: the texts of a body follow each other, a line or more each. Throws for no RE2 expression. */
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

/** Full-width and other compatibility forms as their plain ones, without invisible characters. */
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

/** Looks for all patterns in all texts of a JSON body. Null: it is no JSON. */
export function inspectJson(body: Buffer, patterns: readonly SensitivePattern[]): Inspection | null {
  const texts = jsonTexts(body);
  return texts === null ? null : inspectTexts(texts, patterns);
}

/** The same in a body of any other kind. */
export function inspectPlain(body: Buffer, patterns: readonly SensitivePattern[]): Inspection {
  return inspectTexts(plainTexts(body), patterns);
}

/** Looks for all patterns in texts that were read. */
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
