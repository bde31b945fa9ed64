import { decodeHuffman } from './huffman.ts';

/** The static table of RFC 7541, appendix A; `name` or `name=value`. */
const staticTable: readonly (readonly [string, string])[] = (
  ':authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|:status=206|' +
  ':status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|' +
  'access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|content-language|' +
  'content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|' +
  'if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|' +
  'referer|refresh|retry-after|server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((entry) => {
    const split = entry.indexOf('=');
    return split < 0 ? [entry, ''] : [entry.slice(0, split), entry.slice(split + 1)];
  });

/** The default table size before a peer receives other settings (RFC 7541, 4.2), and the size used here. */
export const headerTableBytes = 4096;

/** A table size update to zero, at the start of a block (RFC 7541, 6.3). */
export const emptyTableSizeUpdate: Buffer = Buffer.from([0x20]);

/** Overhead per entry beyond its name and value (RFC 7541, 4.1). */
const entryOverhead = 32;

const nothing: Buffer = Buffer.alloc(0);
/** Envoy opens each of its calls with the same block, which names entries of the tables only. */
const keptBlockBytes = 256;

/** A field name of HTTP/2, or a pseudo-header. */
const validName = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** An invalid header block; the connection cannot continue, since both sides' tables must stay in sync. */
export class CompressionError extends Error {
  override readonly name = 'CompressionError';
}

export type Header = readonly [name: string, value: string];

/** The value of a header; undefined if no header has this name. */
export function headerOf(headers: readonly Header[], name: string): string | undefined {
  for (const header of headers) if (header[0] === name) return header[1];
  return undefined;
}

/**
 * Decodes the header blocks of one connection, in order of arrival. Bounded: the table by `headerTableBytes`, one block's decoded size by
 * `maxListBytes` (names, values and 32 bytes each).
 */
export class HeaderDecoder {
  /** Whether the last block has a name that HTTP/2 does not allow: upper case, or no token. */
  invalidName = false;
  /** Such a name is in the table: later blocks may use it by its index. */
  #tainted = false;
  readonly #maxListBytes: number;
  /** Newest first. */
  #entries: Header[] = [];
  #size = 0;
  #maxSize = headerTableBytes;
  #bytes: Buffer = nothing;
  #at = 0;
  /** The last block that changed no table, and its headers: the same block has the same headers until a table changes. */
  #lastBlock: Buffer = nothing;
  #lastHeaders: readonly Header[] = [];
  #changed = false;

  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** The headers of the block `from` to `to`. Throws CompressionError. */
  decode(bytes: Buffer, from = 0, to: number = bytes.length): readonly Header[] {
    this.invalidName = false;
    if (this.#isLast(bytes, from, to)) return this.#lastHeaders;
    this.#changed = false;
    const block = bytes.subarray(from, to);
    const headers = this.#decode(block);
    if (this.#changed) this.#lastBlock = nothing;
    else if (!this.invalidName && block.length <= keptBlockBytes) {
      this.#lastBlock = Buffer.from(block);
      this.#lastHeaders = headers;
    }
    return headers;
  }

  /** Byte by byte: most blocks have ten or so. */
  #isLast(bytes: Buffer, from: number, to: number): boolean {
    const last = this.#lastBlock;
    if (last.length === 0 || to - from !== last.length) return false;
    for (let at = 0; at < last.length; at++) if (bytes[from + at] !== last[at]) return false;
    return true;
  }

  #decode(block: Buffer): Header[] {
    this.#bytes = block;
    this.#at = 0;
    const headers: Header[] = [];
    let total = 0;
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      let header: Header;
      if ((first & 0x80) !== 0) header = this.#entry(this.#integer(7));
      else if ((first & 0xc0) === 0x40) {
        header = this.#literal(6);
        if (this.invalidName) this.#tainted = true;
        this.#insert(header);
      } else if ((first & 0xe0) === 0x20) {
        if (headers.length > 0) throw new CompressionError('table size change after a header');
        this.#resize(this.#integer(5));
        continue;
      } else header = this.#literal(4);
      total += header[0].length + header[1].length + entryOverhead;
      if (total > this.#maxListBytes) throw new CompressionError('header list too large');
      headers.push(header);
    }
    this.#bytes = nothing;
    if (this.#tainted) this.invalidName ||= headers.some(([name]) => !validName.test(name));
    return headers;
  }

  #literal(prefixBits: number): Header {
    const index = this.#integer(prefixBits);
    if (index > 0) return [this.#entry(index)[0], this.#string()];
    const name = this.#string();
    if (!validName.test(name)) this.invalidName = true;
    return [name, this.#string()];
  }

  #entry(index: number): Header {
    const entry = index <= staticTable.length ? staticTable[index - 1] : this.#entries[index - staticTable.length - 1];
    if (entry === undefined) throw new CompressionError('index outside the tables');
    return entry;
  }

  #insert(header: Header): void {
    this.#changed = true;
    this.#entries.unshift(header);
    this.#size += header[0].length + header[1].length + entryOverhead;
    this.#evict();
  }

  #resize(size: number): void {
    this.#changed = true;
    if (size > headerTableBytes) throw new CompressionError('table size above what was allowed');
    this.#maxSize = size;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#maxSize) {
      const [name, value] = this.#entries.pop()!;
      this.#size -= name.length + value.length + entryOverhead;
    }
  }

  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      // No legal value here needs more than 21 bits.
      if (shift > 14) throw new CompressionError('integer too large');
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  #string(): string {
    const huffman = (this.#bytes[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) throw new CompressionError('truncated string');
    this.#at = end;
    if (!huffman) return this.#bytes.toString('latin1', start, end);
    const text = decodeHuffman(this.#bytes, start, end);
    if (text === null) throw new CompressionError('bad Huffman code');
    return text;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new CompressionError('truncated block');
    return byte;
  }
}

/** A header block that adds nothing to the table: static names where they exist, strings without Huffman coding. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of headers) {
    const exact = staticTable.findIndex((entry) => entry[0] === name && entry[1] === value);
    if (exact >= 0) {
      parts.push(Buffer.from([0x80 | (exact + 1)]));
      continue;
    }
    const known = staticTable.findIndex((entry) => entry[0] === name) + 1;
    parts.push(integer(known, 4), ...(known === 0 ? [text(name)] : []), text(value));
  }
  return Buffer.concat(parts);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

function integer(value: number, prefixBits: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([value]);
  const bytes = [mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
