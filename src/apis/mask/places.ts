import { base64Text, dataUrl, fileData, freeForm, nameLike, names } from '../inspect/texts.ts';
import type { JsonCursor } from '../scan/scan.ts';

/** A text of a JSON body that a model or a tool reads, and the position of its bytes: within a string's quotes, or a number. */
export interface Place {
  readonly start: number;
  readonly end: number;
  /** Its bytes hold escapes. */
  readonly escaped: boolean;
  readonly number: boolean;
  readonly text: string;
}

/** All such texts; `runs`: adjacent texts that are parts of one text. */
export interface Places {
  readonly all: readonly Place[];
  readonly runs: readonly (readonly Place[])[];
}

/** A change of a text, in UTF-16 units. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Index of the rule that caused it. */
  readonly rule: number;
}

/** A change of a body's bytes. */
export interface ByteEdit {
  readonly start: number;
  readonly end: number;
  readonly bytes: string;
  readonly rule: number;
}

/**
 * The same walk as in `inspect/texts.ts`, for texts that can be changed in place. Texts that it leaves out are not changed; a second search
 * finds them.
 */
class PlaceWalk {
  readonly all: Place[] = [];
  readonly runs: Place[][] = [];

  value(cursor: JsonCursor, key: string, top: boolean, free: boolean): Place | null {
    if (cursor.isString()) return this.#string(cursor, key, free);
    if (cursor.isObject()) return this.#object(cursor, top, free);
    if (cursor.isArray()) {
      this.#array(cursor, key, free);
      return null;
    }
    const raw = cursor.raw();
    const digit = raw[0] ?? 0;
    if (free && (digit === 0x2d || (digit >= 0x30 && digit <= 0x39)))
      this.all.push({ start: cursor.at - raw.length, end: cursor.at, escaped: false, number: true, text: raw.toString('latin1') });
    return null;
  }

  #object(cursor: JsonCursor, top: boolean, free: boolean): Place | null {
    let text: Place | null = null;
    cursor.object((key) => {
      if (free) {
        const { start, end, escaped } = cursor.lastString;
        this.all.push({ start, end, escaped, number: false, text: key });
      } else if (key === 'metadata') {
        cursor.skip();
        return;
      }
      const place = this.value(cursor, key, false, free || freeForm.has(key) || (key === 'input' && !top));
      if (key === 'text' || key === 'content') text = place;
    });
    return text;
  }

  #array(cursor: JsonCursor, key: string, free: boolean): void {
    let run: Place[] = [];
    const flush = (): void => {
      if (run.length > 1) this.runs.push(run);
      run = [];
    };
    cursor.array(() => {
      const place = this.value(cursor, key, false, free);
      if (place === null) flush();
      else run.push(place);
    });
    flush();
  }

  #string(cursor: JsonCursor, key: string, free: boolean): Place | null {
    const text = cursor.string();
    const { start, end, escaped } = cursor.lastString;
    if (!free && names.has(key) && nameLike.test(text)) return null;
    // A file's bytes are not changed.
    if (dataUrl.test(text) || (!free && fileData.has(key) && base64Text.test(text))) return null;
    const place: Place = { start, end, escaped, number: false, text };
    this.all.push(place);
    return place;
  }
}

/** The texts of a whole JSON value. `free`: all of it is tool-defined content. Throws ScanError. */
export function placesOf(cursor: JsonCursor, free: boolean): Places {
  const walk = new PlaceWalk();
  walk.value(cursor, '', !free, free);
  cursor.finish();
  return walk;
}

/** The same changes in bytes; `edits` in order, without nesting. New text is escaped for JSON. */
export function byteEdits(bytes: Buffer, place: Place, edits: readonly TextEdit[]): ByteEdit[] {
  // A masked number becomes a string.
  if (place.number)
    return edits.slice(0, 1).map(({ text, rule }) => ({ start: place.start, end: place.end, bytes: JSON.stringify(text), rule }));
  const at = offsets(bytes, place);
  return edits.map(({ start, end, text, rule }) => ({ start: at(start), end: at(end), bytes: JSON.stringify(text).slice(1, -1), rule }));
}

/** Maps a text's units to byte offsets. Must be called in ascending order. */
function offsets(bytes: Buffer, { start, end, escaped, text }: Place): (unit: number) => number {
  if (end - start === text.length) return (unit) => start + unit;
  let at = start;
  let unit = 0;
  return (wanted) => {
    while (unit < wanted) {
      const byte = bytes[at]!;
      unit++;
      if (escaped && byte === 0x5c) at += bytes[at + 1] === 0x75 ? 6 : 2;
      else if (byte < 0x80) at++;
      else if (byte < 0xe0) at += 2;
      else if (byte < 0xf0) at += 3;
      else {
        at += 4;
        unit++;
      }
    }
    return at;
  };
}

/** The bytes with the changes; all other bytes are unchanged. */
export function applied(bytes: Buffer, edits: readonly ByteEdit[]): Buffer {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    pieces.push(bytes.subarray(from, edit.start), Buffer.from(edit.bytes));
    from = edit.end;
  }
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}

/** The text with the changes. */
export function appliedText(text: string, edits: readonly TextEdit[]): string {
  let result = '';
  let from = 0;
  for (const edit of edits) {
    result += text.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return result + text.slice(from);
}
