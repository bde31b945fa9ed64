import { limits } from '../../lib/limits.ts';
import { isObject, noDeltas, type Delta, type DeltaReading } from '../common/deltas.ts';
import { JsonCursor } from '../scan/scan.ts';
import { eventEnd } from '../openai/usage-chunk.ts';
import { applied, byteEdits, type ByteEdit, type TextEdit } from './places.ts';
import { anyToken } from './tokens.ts';

/** What to restore in an answer. */
export interface Restoring {
  /** How the app's API sends a text in pieces; null if it has no streams. */
  readonly reading: DeltaReading | null;
  /** The original of each token. */
  readonly originals: ReadonlyMap<string, string>;
  /** The app asked for JSON, so the model's text is JSON. */
  readonly jsonOutput: boolean;
}

/** Maximum depth for JSON inside strings of JSON. */
const deepest = 8;
const jsonBegin = /^\s*[[{"]/;
const nothing: Buffer = Buffer.alloc(0);

/**
 * A whole JSON answer with its originals; all other bytes are unchanged. Returned unchanged if it is not JSON, or larger than
 * limits.answerBytes.
 */
export function restoreJson(body: Buffer, { originals }: Pick<Restoring, 'originals'>): Buffer {
  if (body.length > limits.answerBytes) return body;
  try {
    const edits = new Restorer(originals).edits(body, 0);
    return edits.length === 0 ? body : applied(body, edits);
  } catch {
    return body;
  }
}

/** An original as text to insert: escaped if it is inside JSON. */
function written(original: string, json: boolean): string {
  return json ? JSON.stringify(original).slice(1, -1) : original;
}

class Restorer {
  readonly #originals: ReadonlyMap<string, string>;
  /** Strings that are replaced completely, by their path. */
  readonly #replaced: ReadonlyMap<string, string>;

  constructor(originals: ReadonlyMap<string, string>, replaced: ReadonlyMap<string, string> = new Map()) {
    this.#originals = originals;
    this.#replaced = replaced;
  }

  /** Throws ScanError. */
  edits(bytes: Buffer, depth: number): ByteEdit[] {
    const edits: ByteEdit[] = [];
    const cursor = new JsonCursor(bytes);
    this.#value(cursor, '', depth, edits);
    cursor.finish();
    return edits;
  }

  #value(cursor: JsonCursor, path: string, depth: number, edits: ByteEdit[]): void {
    if (cursor.isString()) {
      const text = cursor.string();
      this.#string(cursor, text, path, depth, edits);
    } else if (cursor.isObject()) {
      cursor.object((key) => {
        this.#string(cursor, key, '', depth, edits);
        this.#value(cursor, `${path}/${key}`, depth, edits);
      });
    } else if (cursor.isArray()) {
      cursor.array((index) => {
        this.#value(cursor, `${path}/${index}`, depth, edits);
      });
    } else cursor.skip();
  }

  /** `text`: the string that the cursor has just read. */
  #string({ bytes, lastString }: JsonCursor, text: string, path: string, depth: number, edits: ByteEdit[]): void {
    const { start, end, escaped } = lastString;
    const replaced = depth === 0 ? this.#replaced.get(path) : undefined;
    if (replaced !== undefined) {
      if (replaced !== text) edits.push({ start, end, bytes: JSON.stringify(replaced).slice(1, -1), rule: 0 });
      return;
    }
    if (!text.includes('[')) return;
    const changes = (depth < deepest && jsonBegin.test(text) ? this.#nested(text, depth) : null) ?? this.#plain(text);
    edits.push(...byteEdits(bytes, { start, end, escaped, number: false, text }, changes));
  }

  /** The edits in a text that is JSON; null if it is not JSON. */
  #nested(text: string, depth: number): TextEdit[] | null {
    const bytes = Buffer.from(text);
    try {
      const edits = this.edits(bytes, depth + 1).sort((a, b) => a.start - b.start);
      let at = 0;
      let units = 0;
      const unit = (offset: number): number => {
        units += bytes.toString('utf8', at, offset).length;
        at = offset;
        return units;
      };
      return edits.map((edit) => ({ start: unit(edit.start), end: unit(edit.end), text: edit.bytes, rule: 0 }));
    } catch {
      return null;
    }
  }

  #plain(text: string): TextEdit[] {
    return [...text.matchAll(anyToken)].flatMap(({ 0: token, index }) => {
      const original = this.#originals.get(token);
      return original === undefined ? [] : [{ start: index, end: index + token.length, text: original, rule: 0 }];
    });
  }
}

/** Restores originals in an answer that arrives in pieces. */
export interface StreamRestorer {
  push(bytes: Buffer): Buffer;
  end(): Buffer;
}

/** `events`: the answer is a stream of events; otherwise it is held until it is complete. */
export function streamRestorer(restoring: Restoring, events: boolean): StreamRestorer {
  return events ? new EventRestorer(restoring) : new WholeRestorer(restoring);
}

class WholeRestorer implements StreamRestorer {
  readonly #restoring: Restoring;
  #pieces: Buffer[] = [];
  #held = 0;
  #passing = false;

  constructor(restoring: Restoring) {
    this.#restoring = restoring;
  }

  push(bytes: Buffer): Buffer {
    if (this.#passing) return bytes;
    this.#pieces.push(Buffer.from(bytes));
    this.#held += bytes.length;
    this.#passing = this.#held > limits.answerBytes;
    return this.#passing ? this.#all() : nothing;
  }

  end(): Buffer {
    return this.#passing ? nothing : restoreJson(this.#all(), this.#restoring);
  }

  #all(): Buffer {
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return all;
  }
}

/** The beginning of a token that may continue in the channel's next event, and a function that makes an event for it if it does not. */
interface Held {
  readonly text: string;
  readonly event: (text: string) => Buffer;
}

/**
 * Events of any API: a token may be split over events of one channel, and an event over chunks. Holds back at most one unfinished event,
 * and a token's beginning for each channel.
 */
class EventRestorer implements StreamRestorer {
  readonly #restoring: Restoring;
  readonly #held = new Map<string, Held>();
  #rest: Buffer = nothing;
  /** Inside an event that is too long to hold: it passes through to its end. */
  #passing = false;

  constructor(restoring: Restoring) {
    this.#restoring = restoring;
  }

  push(bytes: Buffer): Buffer {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const out: Buffer[] = [];
    let from = 0;
    for (let end = eventEnd(all, 0); end !== -1; end = eventEnd(all, from)) {
      const event = all.subarray(from, end);
      out.push(...(this.#passing ? [event] : this.#event(event)));
      this.#passing = false;
      from = end;
    }
    const rest = all.subarray(from);
    this.#passing ||= rest.length > limits.sseEventBytes;
    if (this.#passing) out.push(rest);
    this.#rest = this.#passing ? nothing : Buffer.from(rest);
    return Buffer.concat(out);
  }

  end(): Buffer {
    const rest = this.#rest;
    this.#rest = nothing;
    return Buffer.concat([...this.#flush(() => true), ...(rest.length === 0 ? [] : this.#event(rest))]);
  }

  #event(event: Buffer): Buffer[] {
    const data = dataOf(event);
    if (data === null) return [event];
    const [start, end] = data;
    const bytes = event.subarray(start, end);
    let parsed: unknown;
    try {
      parsed = JSON.parse(bytes.toString('utf8'));
    } catch {
      return [...this.#flush(() => true), event];
    }
    const { reading, jsonOutput } = this.#restoring;
    const { deltas, ends } = reading !== null && isObject(parsed) ? reading(parsed, jsonOutput) : noDeltas;
    const replaced = new Map<string, string>();
    const last = new Map<string, string>();
    for (const delta of deltas) {
      replaced.set(delta.path, this.#delta(delta));
      last.set(delta.channel, delta.path);
    }
    for (const [channel, path] of last) {
      const held = this.#held.get(channel);
      if (held === undefined || !ends(channel)) continue;
      replaced.set(path, replaced.get(path)! + held.text);
      this.#held.delete(channel);
    }
    const before = this.#flush(ends);
    let edits: ByteEdit[];
    try {
      edits = new Restorer(this.#restoring.originals, replaced).edits(bytes, 0);
    } catch {
      return [...before, event];
    }
    return edits.length === 0 ? [...before, event] : [...before, event.subarray(0, start), applied(bytes, edits), event.subarray(end)];
  }

  /** The part of a channel's text to send now; a possible beginning of a token is held. */
  #delta({ channel, text: came, json, event }: Delta): string {
    const text = (this.#held.get(channel)?.text ?? '') + came;
    const keep = this.#beginning(text);
    if (keep === text.length) this.#held.delete(channel);
    else this.#held.set(channel, { text: text.slice(keep), event });
    return text.slice(0, keep).replace(anyToken, (token) => {
      const original = this.#restoring.originals.get(token);
      return original === undefined ? token : written(original, json);
    });
  }

  /** Position of a token's beginning at the end of a text; the text's length if there is none. */
  #beginning(text: string): number {
    const at = text.lastIndexOf('[');
    if (at === -1) return text.length;
    const tail = text.slice(at);
    for (const token of this.#restoring.originals.keys()) if (token.length > tail.length && token.startsWith(tail)) return at;
    return text.length;
  }

  #flush(ended: (channel: string) => boolean): Buffer[] {
    const out: Buffer[] = [];
    for (const [channel, { text, event }] of this.#held) {
      if (!ended(channel)) continue;
      out.push(event(text));
      this.#held.delete(channel);
    }
    return out;
  }
}

const dataField = Buffer.from('data:');

/** Position of the data in an event with one data line; null if it has none, or several. */
function dataOf(event: Buffer): readonly [number, number] | null {
  let found: readonly [number, number] | null = null;
  for (let from = 0; from < event.length;) {
    const newline = event.indexOf(0x0a, from);
    const lineEnd = newline === -1 ? event.length : newline;
    if (event.subarray(from, from + dataField.length).equals(dataField)) {
      if (found !== null) return null;
      const start = event[from + dataField.length] === 0x20 ? from + dataField.length + 1 : from + dataField.length;
      found = [start, event[lineEnd - 1] === 0x0d ? lineEnd - 1 : lineEnd];
    }
    from = lineEnd + 1;
  }
  return found;
}
