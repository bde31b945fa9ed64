import { withoutEncoding } from '../lib/content-encoding.ts';
import { limits } from '../lib/limits.ts';

/** Maximum number of stacked encodings that are decoded. */
const layers = 3;

/**
 * The beginning of a body that is still arriving, without its one content-encoding. Null if it cannot be decoded so far, or if the result
 * is larger than limits.answerBytes.
 */
export function decodePart(body: Buffer, contentEncoding: string): Buffer | null {
  try {
    return body.length === 0 ? null : withoutEncoding(body, contentEncoding.trim().toLowerCase(), limits.answerBytes, true);
  } catch {
    return null;
  }
}

/**
 * A body without its content-encoding: gzip, deflate, br, zstd, up to three of them. Null if it cannot be decoded, or if the result
 * is larger than limits.requestBodyBytes.
 */
export function decodeBody(body: Buffer, contentEncoding: string): Buffer | null {
  const encodings = contentEncoding
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  if (encodings.length > layers) return null;
  let decoded = body;
  try {
    for (const encoding of encodings.reverse()) {
      const next = decoded.length === 0 ? null : withoutEncoding(decoded, encoding, limits.requestBodyBytes);
      if (next === null) return null;
      decoded = next;
    }
  } catch {
    return null;
  }
  return decoded;
}

/** The body without a UTF-8 byte order mark. */
export function withoutMark(body: Buffer): Buffer {
  return body.length >= 3 && body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}

/** Charsets in which ASCII letters are ASCII bytes, and UTF-16, which bodies of other types than JSON are decoded from. */
const readCharsets = /^(?:utf-?8|utf-?16(?:le|be)?|(?:us-)?ascii|iso-?8859-?\d+|latin-?\d|windows-125\d|cp125\d)$/i;

/** Whether a body of this content type is written in a charset that patterns are searched in; true if it says none. */
export function readsCharset(contentType: string): boolean {
  const said = /;\s*charset\s*=\s*"?([^";]*)/i.exec(contentType)?.[1]?.trim() ?? '';
  return said === '' || readCharsets.test(said);
}
