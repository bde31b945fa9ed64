import { isUtf8 } from 'node:buffer';
import { limits } from '../../lib/limits.ts';
import { inspectTexts, sensitiveExpression, type SensitivePattern } from '../inspect/patterns.ts';
import { jsonTexts, nestedJson, plainTexts, type BodyTexts } from '../inspect/texts.ts';
import { JsonCursor } from '../scan/scan.ts';
import { foldedText, type FoldedText } from './folding.ts';
import { eachMatch } from './matches.ts';
import { applied, appliedText, byteEdits, placesOf, type ByteEdit, type Place, type TextEdit } from './places.ts';
import { anyToken, Tokens, type MaskRule } from './tokens.ts';

/** What to mask. Plain data: it is sent to the thread that reads large bodies. */
export interface MaskWish {
  /** Hex, from `workspaceKey`. */
  readonly key: string;
  readonly patterns: readonly SensitivePattern[];
  /** For each pattern; null if it does not mask. */
  readonly rules: readonly (MaskRule | null)[];
}

export interface Masking {
  readonly body: Buffer;
  /** For each pattern: the number of replaced matches. */
  readonly counts: readonly number[];
  /** Tokens that are restored in the answer, and their originals. */
  readonly restored: readonly (readonly [token: string, original: string])[];
}

/**
 * Replaces the patterns' matches in all texts of a JSON body; all other bytes are unchanged. Null if not everything can be replaced, or if
 * it is not JSON.
 */
export function maskJson(body: Buffer, wish: MaskWish): Masking | null {
  const mask = (whole: boolean): Masking | null => {
    const masker = new Masker(wish, whole);
    return masker.finish(body, masker.json(new JsonCursor(body), false, 0), jsonTexts);
  };
  try {
    return mask(false) ?? mask(true);
  } catch {
    return null;
  }
}

/** The same for any other kind of text body. */
export function maskPlain(body: Buffer, wish: MaskWish): Masking | null {
  if (!isUtf8(body) || body.includes(0)) return null;
  const text = body.toString('utf8');
  const place: Place = { start: 0, end: body.length, escaped: false, number: false, text };
  const mask = (whole: boolean): Masking | null => {
    const masker = new Masker(wish, whole);
    const edits = byteEdits(body, place, masker.plain(text)).map((edit) => ({ ...edit, bytes: JSON.parse(`"${edit.bytes}"`) as string }));
    return masker.finish(body, edits, plainTexts);
  };
  return mask(false) ?? mask(true);
}

/** Replaces tokens before patterns are searched: no pattern is meant to match it. */
const blank = '\ufffc';
const jsonBegin = /^\s*[[{"]/;

interface Found {
  readonly start: number;
  readonly end: number;
  readonly rule: number;
}

class Masker {
  readonly #wish: MaskWish;
  readonly #tokens: Tokens;
  /** Patterns that mask, with their index. */
  readonly #masking: readonly (readonly [SensitivePattern, number])[];
  readonly #whole: boolean;
  #folded: { readonly of: string; readonly text: FoldedText | null } | null = null;
  #matches = 0;
  /** A match cannot be replaced. */
  #failed = false;

  /** `whole`: also find matches that are too long for windows. */
  constructor(wish: MaskWish, whole: boolean) {
    this.#wish = wish;
    this.#whole = whole;
    this.#tokens = new Tokens(wish.key);
    this.#masking = wish.patterns.map((pattern, at) => [pattern, at] as const).filter(([, at]) => wish.rules[at] !== null);
  }

  /** The changes in a JSON value. Throws ScanError. */
  json(cursor: JsonCursor, free: boolean, depth: number): ByteEdit[] {
    const { all, runs } = placesOf(cursor, free);
    const across = this.#across(runs);
    return all.flatMap((place) => {
      const own = place.number ? this.#number(place.text) : this.#text(place.text, depth);
      const edits = this.#joined(own, across.get(place) ?? []);
      return edits.length === 0 ? [] : byteEdits(cursor.bytes, place, edits);
    });
  }

  /** The changes in a text that may contain lines of JSON. */
  plain(text: string): TextEdit[] {
    const inner: TextEdit[] = [];
    let from = 0;
    for (const line of text.split('\n')) {
      if (/^\s*[[{]/.test(line))
        for (const edit of this.#nested(line, 0)) inner.push({ ...edit, start: edit.start + from, end: edit.end + from });
      from += line.length + 1;
    }
    return this.#andPlain(text, inner);
  }

  /** The changed body, if a second search finds nothing in it. */
  finish(body: Buffer, edits: readonly ByteEdit[], texts: (body: Buffer) => BodyTexts | null): Masking | null {
    const masked = applied(body, edits);
    const found = texts(masked);
    if (this.#failed || found === null) return null;
    const left = inspectTexts(
      { ...found, text: found.text.replace(anyToken, blank) },
      this.#masking.map(([pattern]) => pattern),
    );
    if (left.matched.includes(true)) return null;
    const counts = this.#wish.patterns.map(() => 0);
    for (const { rule } of edits) counts[rule]!++;
    return { body: masked, counts, restored: [...this.#tokens.restored] };
  }

  #number(text: string): TextEdit[] {
    const [found] = this.#find(text);
    return found === undefined ? [] : [{ start: 0, end: text.length, text: this.#token(found.rule, text), rule: found.rule }];
  }

  /**
   * Matches in JSON within the text are replaced there first, so that it stays valid JSON; then the remaining matches in the whole text.
   */
  #text(text: string, depth: number): TextEdit[] {
    return this.#andPlain(text, depth < nestedJson && jsonBegin.test(text) ? this.#nested(text, depth) : []);
  }

  #nested(text: string, depth: number): TextEdit[] {
    const bytes = Buffer.from(text);
    let edits: ByteEdit[];
    try {
      edits = this.json(new JsonCursor(bytes), true, depth + 1);
    } catch {
      return [];
    }
    edits.sort((a, b) => a.start - b.start);
    let at = 0;
    let unit = 0;
    const unitAt = (offset: number): number => {
      unit += bytes.toString('utf8', at, offset).length;
      at = offset;
      return unit;
    };
    return edits.map(({ start, end, bytes: written, rule }) => ({ start: unitAt(start), end: unitAt(end), text: written, rule }));
  }

  #andPlain(text: string, inner: readonly TextEdit[]): TextEdit[] {
    if (inner.length > 0 && this.#find(appliedText(text, inner).replace(anyToken, blank)).length === 0) return [...inner];
    const found = this.#find(text).map((one) => this.#edit(text, one));
    return inner.length === 0 ? found : this.#joined(inner, found);
  }

  #edit(text: string, { start, end, rule }: Found): TextEdit {
    return { start, end, text: this.#token(rule, text.slice(start, end)), rule };
  }

  #token(rule: number, value: string): string {
    if (++this.#matches > limits.maskedMatches) this.#failed = true;
    return this.#tokens.of(this.#wish.rules[rule]!, value);
  }

  /** All matches, in order, without overlaps; overlapping matches are merged and get the first rule's token. */
  #find(text: string): Found[] {
    const found: Found[] = [];
    for (const [pattern, rule] of this.#masking) {
      this.#matchesOf(pattern, text, (start, end) => found.push({ start, end, rule }));
      const other = pattern.fold ? this.#foldedOf(text) : null;
      if (other !== null)
        this.#matchesOf(pattern, other.text, (start, end) => found.push({ start: other.starts[start]!, end: other.ends[end - 1]!, rule }));
    }
    if (found.length < 2) return found;
    found.sort((a, b) => a.start - b.start || b.end - a.end);
    const merged: Found[] = [];
    for (const one of found) {
      const last = merged.at(-1);
      if (last === undefined || one.start >= last.end) merged.push(one);
      else merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, one.end), rule: Math.min(last.rule, one.rule) };
    }
    return merged;
  }

  /** Cached, because it is needed for each pattern of the same text. */
  #foldedOf(text: string): FoldedText | null {
    if (this.#folded?.of !== text) this.#folded = { of: text, text: foldedText(text) };
    return this.#folded.text;
  }

  #matchesOf(pattern: SensitivePattern, text: string, add: (start: number, end: number) => void): void {
    let tokens: readonly (readonly [number, number])[] | null = null;
    eachMatch(sensitiveExpression(pattern), text, this.#whole, (start, end) => {
      tokens ??= tokensIn(text);
      // A match inside a token from an earlier answer is already masked.
      if (!tokens.some(([from, to]) => from <= start && end <= to)) add(start, end);
    });
  }

  /** Matches that span several parts which a model reads as one text: the first part gets the token, the others lose their share. */
  #across(runs: readonly (readonly Place[])[]): ReadonlyMap<Place, readonly TextEdit[]> {
    const edits = new Map<Place, TextEdit[]>();
    for (const run of runs) {
      const joined = run.map(({ text }) => text).join('');
      let at = 0;
      let from = 0;
      for (const found of this.#find(joined)) {
        while (from + run[at]!.text.length <= found.start) from += run[at++]!.text.length;
        if (found.end <= from + run[at]!.text.length) continue;
        const shares = sharesOf(run, at, from, found);
        // A part that matches by itself is masked separately: the parts may be unrelated.
        if (shares.some(({ place, start, end }) => this.#find(place.text.slice(start, end)).length > 0)) continue;
        let token = this.#token(found.rule, joined.slice(found.start, found.end));
        for (const { place, start, end } of shares) {
          edits.set(place, [...(edits.get(place) ?? []), { start, end, text: token, rule: found.rule }]);
          token = '';
        }
      }
    }
    return edits;
  }

  /** Both lists merged in order: `over` replaces the edits that it contains. Fails if two edits overlap only partly. */
  #joined(edits: readonly TextEdit[], over: readonly TextEdit[]): TextEdit[] {
    if (over.length === 0) return [...edits];
    const kept = edits.filter(
      ({ start, end }) => !over.some((other) => other.start <= start && end <= other.end && !(start <= other.start && other.end <= end)),
    );
    const added = over.filter(({ start, end }) => !kept.some((other) => other.start <= start && end <= other.end));
    const all = [...kept, ...added].sort((a, b) => a.start - b.start);
    if (all.some(({ start }, at) => at > 0 && start < all[at - 1]!.end)) this.#failed = true;
    return this.#failed ? [] : all;
  }
}

interface Share {
  readonly place: Place;
  readonly start: number;
  readonly end: number;
}

/** The shares that a run's parts have in a match. The match begins in the part at `at`, whose text begins at `from`. */
function sharesOf(run: readonly Place[], at: number, from: number, found: Found): readonly Share[] {
  const shares: Share[] = [];
  for (let begin = from, next = at; begin < found.end; begin += run[next++]!.text.length) {
    const place = run[next]!;
    const start = Math.max(0, found.start - begin);
    const end = Math.min(place.text.length, found.end - begin);
    if (start < end) shares.push({ place, start, end });
  }
  return shares;
}

function tokensIn(text: string): readonly (readonly [number, number])[] {
  return text.includes('[') ? [...text.matchAll(anyToken)].map(({ 0: token, index }) => [index, index + token.length] as const) : [];
}
