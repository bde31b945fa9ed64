import { isUtf8 } from 'node:buffer';
import { limits } from '../../lib/limits.ts';
import { JsonCursor } from '../scan/scan.ts';

/** All text of a body that a model or a tool would read, and whether some of it is unreadable here. */
export interface BodyTexts {
  readonly text: string;
  /** More text than limits.inspectedUnits, or texts given as token numbers. */
  readonly unread: boolean;
}

/** Members whose content an app or a tool defines: their names and numbers are read, too. */
export const freeForm: ReadonlySet<string> = new Set([
  'args',
  'arguments',
  'response',
  'parameters',
  'parametersJsonSchema',
  'parameters_json_schema',
  'input_schema',
  'inputSchema',
  'schema',
  'json_schema',
  'responseSchema',
  'response_schema',
  'responseJsonSchema',
  'response_json_schema',
  'properties',
  'variables',
  'output',
  'json',
  'structuredContent',
]);

/** Members whose value is an identifier for the provider, unless it looks like text. */
export const names: ReadonlySet<string> = new Set([
  'id',
  'call_id',
  'tool_call_id',
  'tool_use_id',
  'toolUseId',
  'model',
  'role',
  'type',
  'user',
  'user_id',
  'safety_identifier',
  'prompt_cache_key',
  'signature',
  'encrypted_content',
  'previous_response_id',
  'thoughtSignature',
  'thought_signature',
  'service_tier',
  'file_id',
  'format',
  'detail',
  'status',
  'object',
  'cachedContent',
  'cached_content',
  'mimeType',
  'mime_type',
  'media_type',
  'container',
  'conversation',
]);
export const nameLike = /^[\w.:/=+@#~-]*$/;

/** Members that hold a file's bytes. */
export const fileData: ReadonlySet<string> = new Set([
  'data',
  'bytes',
  'file_data',
  'fileData',
  'bytesBase64Encoded',
  'imageBytes',
  'videoBytes',
]);
/** Media without text. A drawing in SVG is text. */
const mediaType = /^(?:image|audio|video|font)\/(?!svg)|^application\/(?:pdf|zip|gzip)/i;
const textType = /^text\/|^application\/(?:json|xml|yaml|javascript|csv|x-ndjson|jsonl)|[+]?(?:svg|xml|json)$/i;
export const dataUrl = /^data:([^;,]*)((?:;[^;,]*)*),/;
export const base64Text = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** Maximum depth for JSON inside strings of JSON. */
export const nestedJson = 3;

/** What was found in an object while reading it. */
interface ContentObject {
  text: string | null;
  mime: string | null;
  data: string | null;
}

/** Collects every text of a JSON body: values, and also names and numbers where a tool defines them. */
class TextWalk {
  readonly #parts: string[] = [];
  readonly #runs: string[] = [];
  readonly #nesting: number;
  #left: number;
  unread = false;

  constructor(left: number, nesting: number) {
    this.#left = left;
    this.#nesting = nesting;
  }

  get left(): number {
    return this.#left;
  }

  /** Adjacent text parts are added once more at the end, joined as a model reads them. */
  join(): string {
    return [...this.#parts, ...this.#runs].join('\n');
  }

  body(cursor: JsonCursor): void {
    this.#value(cursor, '', true, false);
    cursor.finish();
  }

  /** JSON inside a string: all of it is tool-defined content. */
  nested(cursor: JsonCursor): void {
    this.#value(cursor, '', false, true);
    cursor.finish();
  }

  add(text: string): void {
    if (text === '') return;
    this.#left -= text.length;
    if (this.#left < 0) this.unread = true;
    else this.#parts.push(text);
    if (percentEscapes.test(text)) this.#escaped(text);
  }

  /** Addresses and forms write letters as percent escapes. */
  #escaped(text: string): void {
    const plain = percentDecoded(text);
    this.#left -= plain.length;
    if (this.#left < 0) this.unread = true;
    else this.#parts.push(plain);
  }

  #value(cursor: JsonCursor, key: string, top: boolean, free: boolean): string | null {
    if (cursor.isString()) return this.#string(cursor.string(), key, free);
    if (cursor.isObject()) return this.#object(cursor, key, top, free).text;
    if (cursor.isArray()) {
      this.#array(cursor, key, free);
      return null;
    }
    const raw = cursor.raw();
    const digit = raw[0] ?? 0;
    if (free && (digit === 0x2d || (digit >= 0x30 && digit <= 0x39))) this.add(raw.toString('latin1'));
    return null;
  }

  #object(cursor: JsonCursor, inside: string, top: boolean, free: boolean): ContentObject {
    const part: ContentObject = { text: null, mime: null, data: null };
    cursor.object((key) => {
      if (free) this.add(key);
      else if (key === 'metadata') {
        cursor.skip();
        return;
      }
      const inner = free || freeForm.has(key) || (key === 'input' && !top);
      if (!cursor.isString()) {
        this.#value(cursor, key, false, inner);
        return;
      }
      const value = cursor.string();
      if (!free && fileData.has(key)) {
        part.data = value;
        return;
      }
      if (key === 'mimeType' || key === 'mime_type' || key === 'media_type') part.mime = value;
      this.#string(value, key, inner);
      if (key === 'text' || key === 'content') part.text = value;
    });
    if (part.data !== null) this.#file(part.data, inside === 'input_audio' ? 'audio/' : part.mime);
    return part;
  }

  #array(cursor: JsonCursor, key: string, free: boolean): void {
    let run: string[] = [];
    const flush = (): void => {
      const joined = run.length > 1 ? run.join('') : '';
      run = [];
      if (joined === '') return;
      this.#left -= joined.length;
      if (this.#left < 0) this.unread = true;
      else this.#runs.push(joined);
    };
    cursor.array(() => {
      const number = cursor.peek();
      // Texts given as token numbers: their content is unknown here.
      if (!free && (key === 'prompt' || key === 'input') && number >= 0x30 && number <= 0x39) this.unread = true;
      const text = this.#value(cursor, key, false, free);
      if (text === null) flush();
      else run.push(text);
    });
    flush();
  }

  #string(value: string, key: string, free: boolean): string {
    if (!free && names.has(key) && nameLike.test(value)) return value;
    const url = value.startsWith('data:') ? dataUrl.exec(value) : null;
    if (url === null) this.#text(value);
    else this.#dataUrl(value, url);
    return value;
  }

  #text(value: string): void {
    this.add(value);
    if (this.#nesting >= nestedJson || !value.includes('\\') || !/^\s*[[{"]/.test(value)) return;
    const inner = new TextWalk(this.#left, this.#nesting + 1);
    try {
      inner.nested(new JsonCursor(Buffer.from(value)));
    } catch {
      return;
    }
    this.add(inner.join());
    this.unread ||= inner.unread;
  }

  #dataUrl(value: string, [head, mime = '', options = '']: RegExpExecArray): void {
    if (mediaType.test(mime)) return;
    const rest = value.slice(head.length);
    if (options.includes('base64')) this.#base64(rest, mime);
    else this.add(percentDecoded(rest));
  }

  /** A file's bytes: read as text if the type is text or missing. */
  #file(data: string, mime: string | null): void {
    const url = data.startsWith('data:') ? dataUrl.exec(data) : null;
    if (url !== null) this.#dataUrl(data, url);
    else if (mime !== null && mediaType.test(mime)) return;
    else if (base64Text.test(data.replace(/\s+/g, ''))) this.#base64(data, mime);
    else this.#text(data);
  }

  /** `mime`: null if it is not said. */
  #base64(data: string, mime: string | null): void {
    const bytes = Buffer.from(data, 'base64');
    const text = textOf(bytes) ?? (mime !== null && textType.test(mime) ? bytes.toString('latin1') : null);
    if (text !== null) this.add(text);
    // It may be plain text without spaces.
    this.add(data);
  }
}

const percentEscapes = /%[0-9a-f]{2}/i;

/** Decodes what is escaped; what is not UTF-8 becomes U+FFFD. */
function percentDecoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}

/** The bytes as text, if they are UTF-8, or UTF-16 by its byte order mark or its zero bytes. Null otherwise. */
export function textOf(bytes: Buffer): string | null {
  if (bytes.length >= 4 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] !== 0 && bytes[1] === 0 && bytes[3] === 0)))
    return bytes.toString('utf16le');
  if (
    bytes.length >= 4 &&
    bytes.length % 2 === 0 &&
    ((bytes[0] === 0xfe && bytes[1] === 0xff) || (bytes[0] === 0 && bytes[1] !== 0 && bytes[2] === 0))
  )
    return Buffer.from(bytes).swap16().toString('utf16le');
  return isUtf8(bytes) ? bytes.toString('utf8') : null;
}

/** Every text of a JSON body. Null if the scanner cannot read it as JSON. Linear in the body. */
export function jsonTexts(body: Buffer): BodyTexts | null {
  const walk = new TextWalk(limits.inspectedUnits, 0);
  try {
    walk.body(new JsonCursor(body));
  } catch {
    return null;
  }
  return { text: walk.join(), unread: walk.unread };
}

/** A body that is not JSON (a form, lines of JSON, plain text): the body itself, and the texts in its lines of JSON. */
export function plainTexts(body: Buffer): BodyTexts {
  const text = textOf(body) ?? body.toString('latin1');
  if (text.length > limits.inspectedUnits) return { text: '', unread: true };
  const walk = new TextWalk(limits.inspectedUnits, 0);
  walk.add(text);
  // JSON over several lines, as in a form: only its escapes hide text.
  for (let plain = unescaped(text), round = 0; plain !== null && round < nestedJson; plain = unescaped(plain), round++) walk.add(plain);
  // A form in URL letters writes spaces as plus.
  if (!/\s/.test(text) && text.includes('+')) walk.add(percentDecoded(text.replaceAll('+', ' ')));
  for (const line of text.split(/[\r\n\u001e]+/)) {
    if (!/^\s*[[{]/.test(line)) continue;
    const found = jsonTexts(Buffer.from(line));
    if (found !== null) walk.add(found.text);
  }
  return { text: walk.join(), unread: walk.unread };
}

const escapedUnits = /\\u([0-9a-f]{4})/gi;

/** The text without JSON's numeric escapes; null if it has none. */
function unescaped(text: string): string | null {
  return text.includes('\\u') && text.search(escapedUnits) >= 0
    ? text.replace(escapedUnits, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    : null;
}
