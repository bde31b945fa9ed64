import { limits } from '../../lib/limits.ts';

const lf = 0x0a;
const cr = 0x0d;
const none: Buffer = Buffer.alloc(0);
const dataName = Buffer.from('data');
const bom = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Splits server-sent events into their data, for any chunking and line ends (LF, CR, CRLF). Holds at most one unfinished event, up to
 * `most` bytes; a longer one is skipped whole and counted in `skipped`. The Buffer given to `onData` may be a view of the chunk: it is
 * valid only during the call.
 */
export class SseSplitter {
  readonly #onData: (data: Buffer) => void;
  readonly #most: number;
  /** The first `#lineBytes` of this are the unfinished line. */
  #line: Buffer = none;
  #lineBytes = 0;
  /** The unfinished line is skipped to its end. */
  #ignored = false;
  /** Data lines of the unfinished event. */
  #data: Buffer[] = [];
  #held = 0;
  /** The unfinished event is too long. */
  #overflow = false;
  #afterCr = false;
  #first = true;
  skipped = 0;

  constructor(onData: (data: Buffer) => void, most: number = limits.sseEventBytes) {
    this.#onData = onData;
    this.#most = most;
  }

  push(chunk: Buffer): void {
    let start = 0;
    // CRLF may be split between chunks: the LF belongs to the line that the CR ended.
    if (this.#afterCr && chunk[0] === lf) start = 1;
    if (chunk.length > 0) this.#afterCr = false;
    let at = start;
    while (at < chunk.length) {
      const byte = chunk[at]!;
      if (byte !== lf && byte !== cr) {
        at++;
        continue;
      }
      this.#endLine(chunk.subarray(start, at));
      at++;
      if (byte === cr) {
        if (at === chunk.length) this.#afterCr = true;
        else if (chunk[at] === lf) at++;
      }
      start = at;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  /** The stream's end: an event without its blank line is emitted too, since some providers omit it. */
  end(): void {
    if (this.#lineBytes > 0) this.#endLine(none);
    this.#endEvent();
  }

  #hold(rest: Buffer): void {
    if (this.#ignored) return;
    if (this.#overflow) {
      this.#ignored = true;
      return;
    }
    const bytes = this.#lineBytes + rest.length;
    if (this.#held + bytes > this.#most + longestPrefix) {
      const begin = Buffer.concat([this.#line.subarray(0, this.#lineBytes), rest.subarray(0, longestPrefix)]);
      this.#ignored = true;
      this.#forgetLine();
      if (isData(this.#withoutBom(begin))) this.#drop();
      return;
    }
    // Copied, because a view would keep the whole chunk in memory. Doubled, because a line may arrive byte by byte.
    if (bytes > this.#line.length) {
      const larger = Buffer.allocUnsafe(Math.max(256, 2 * bytes));
      this.#line.copy(larger, 0, 0, this.#lineBytes);
      this.#line = larger;
    }
    rest.copy(this.#line, this.#lineBytes);
    this.#lineBytes = bytes;
  }

  #forgetLine(): void {
    this.#line = none;
    this.#lineBytes = 0;
  }

  #drop(): void {
    this.#overflow = true;
    this.skipped++;
    this.#data = [];
    this.#held = 0;
  }

  #withoutBom(line: Buffer): Buffer {
    return this.#first && line.subarray(0, 3).equals(bom) ? line.subarray(3) : line;
  }

  #endLine(tail: Buffer): void {
    if (this.#lineBytes > 0 && tail.length > 0) this.#hold(tail);
    if (this.#ignored) {
      this.#ignored = false;
      this.#first = false;
      return;
    }
    const held = this.#lineBytes > 0;
    const line = this.#withoutBom(held ? this.#line.subarray(0, this.#lineBytes) : tail);
    this.#first = false;
    if (held) this.#forgetLine();
    if (line.length === 0) {
      this.#endEvent();
      return;
    }
    if (this.#overflow || !isData(line)) return;
    let from = 5;
    if (line[5] === 0x20) from = 6;
    const data = line.length <= from ? none : line.subarray(from);
    if (this.#held + data.length > this.#most) {
      this.#drop();
      return;
    }
    // A view of the chunk must be copied if the event may end in a later chunk; always copying is simpler and cheap.
    this.#data.push(held ? data : Buffer.from(data));
    this.#held += data.length;
  }

  #endEvent(): void {
    const data = this.#data;
    this.#overflow = false;
    if (data.length === 0) return;
    this.#data = [];
    this.#held = 0;
    if (data.length === 1) {
      this.#onData(data[0]!);
      return;
    }
    const lines: Buffer[] = [];
    for (const [index, line] of data.entries()) lines.push(...(index === 0 ? [line] : [Buffer.from('\n'), line]));
    this.#onData(Buffer.concat(lines));
  }
}

/** A byte order mark, `data:` and its space. */
const longestPrefix = 9;

/** Whether the line's field is `data`. */
function isData(line: Buffer): boolean {
  return line.length >= 4 && line.compare(dataName, 0, 4, 0, 4) === 0 && (line.length === 4 || line[4] === 0x3a);
}
