import { crc32 } from 'node:zlib';
import { limits } from '../../lib/limits.ts';

/** Total length, length of the headers, and the checksum of both. */
const preludeBytes = 12;
const checksumBytes = 4;
const textHeader = 7;
const none: Buffer = Buffer.alloc(0);

/** The media type of AWS's event streams. */
export const eventStreamType = 'application/vnd.amazon.eventstream';

/** Fixed lengths of the values of headers, by type; types with a length of their own are absent. */
const fixedValues: ReadonlyMap<number, number> = new Map([
  [0, 0],
  [1, 0],
  [2, 1],
  [3, 2],
  [4, 4],
  [5, 8],
  [8, 8],
  [9, 16],
]);

/**
 * Splits AWS's binary event streams into messages, for any chunking. Holds at most one unfinished message, up to `most` bytes; a longer one
 * is skipped whole and counted in `skipped`. Reads nothing more once a prelude's checksum is wrong.
 */
export class EventStreamSplitter {
  readonly #onMessage: (headers: ReadonlyMap<string, string>, payload: Buffer) => void;
  readonly #most: number;
  #held: Buffer = none;
  /** Bytes of a message that is too long, still to come. */
  #ignored = 0;
  #broken = false;
  skipped = 0;

  constructor(onMessage: (headers: ReadonlyMap<string, string>, payload: Buffer) => void, most: number = limits.sseEventBytes) {
    this.#onMessage = onMessage;
    this.#most = most;
  }

  push(chunk: Buffer): void {
    if (this.#broken) return;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = Math.min(this.#ignored, bytes.length);
    this.#ignored -= at;
    while (bytes.length - at >= preludeBytes) {
      const total = bytes.readUInt32BE(at);
      if (!isPrelude(bytes, at, total)) {
        this.#broken = true;
        this.#held = none;
        return;
      }
      if (total > this.#most) {
        this.skipped++;
        this.#ignored = Math.max(0, total - (bytes.length - at));
        at = Math.min(bytes.length, at + total);
      } else if (bytes.length - at < total) break;
      else {
        this.#message(bytes.subarray(at, at + total));
        at += total;
      }
    }
    // A copy, because a view would keep the whole chunk in memory.
    this.#held = at === bytes.length ? none : Buffer.from(bytes.subarray(at));
  }

  #message(message: Buffer): void {
    const headersEnd = preludeBytes + message.readUInt32BE(4);
    this.#onMessage(headersIn(message.subarray(preludeBytes, headersEnd)), message.subarray(headersEnd, message.length - checksumBytes));
  }
}

function isPrelude(bytes: Buffer, at: number, total: number): boolean {
  return (
    bytes.readUInt32BE(at + 4) <= total - preludeBytes - checksumBytes && crc32(bytes.subarray(at, at + 8)) === bytes.readUInt32BE(at + 8)
  );
}

/** The headers that are texts, up to the first that cannot be read. */
function headersIn(bytes: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const nameEnd = at + 1 + bytes[at]!;
    if (nameEnd >= bytes.length) break;
    const type = bytes[nameEnd]!;
    const fixed = fixedValues.get(type);
    if (fixed === undefined && nameEnd + 3 > bytes.length) break;
    const from = nameEnd + (fixed === undefined ? 3 : 1);
    const to = from + (fixed ?? bytes.readUInt16BE(nameEnd + 1));
    if (to > bytes.length) break;
    if (type === textHeader) headers.set(bytes.toString('utf8', at + 1, nameEnd), bytes.toString('utf8', from, to));
    at = to;
  }
  return headers;
}
