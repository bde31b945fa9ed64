import { limits } from '../limits.ts';

const lf = 0x0a;
const cr = 0x0d;
const none: Buffer = Buffer.alloc(0);
const dataName = Buffer.from('data');
const bom = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Splits server-sent events into their data, whatever the chunking and the line ends (LF, CR, CRLF). Holds no more than
 * one unfinished event, up to limits.sseEventBytes; a longer one is skipped and counted in `skipped`. The Buffer given to
 * `onData` may be a view of the chunk: it is valid during the call only.
 */
export class SseSplitter {
  readonly #onData: (data: Buffer) => void;
  /** An unfinished line. */
  #line: Buffer = none;
  /** Data lines of the unfinished event. */
  #data: Buffer[] = [];
  #held = 0;
  #overflow = false;
  #afterCr = false;
  #first = true;
  skipped = 0;

  constructor(onData: (data: Buffer) => void) {
    this.#onData = onData;
  }

  push(chunk: Buffer): void {
    let start = 0;
    // CRLF may be split between chunks: the LF belongs to the line that CR has ended.
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

  /** The stream's end: an event without its blank line is given too, since some providers leave it out. */
  end(): void {
    if (this.#line.length > 0) this.#endLine(none);
    this.#endEvent();
  }

  #hold(rest: Buffer): void {
    if (this.#overflow) return;
    if (this.#held + this.#line.length + rest.length > limits.sseEventBytes) {
      this.#drop();
      return;
    }
    // Copied: a view would keep the whole chunk alive.
    this.#line = Buffer.concat([this.#line, rest]);
  }

  #drop(): void {
    this.#overflow = true;
    this.skipped++;
    this.#line = none;
    this.#data = [];
    this.#held = 0;
  }

  #endLine(tail: Buffer): void {
    let line = tail;
    const held = this.#line.length > 0;
    if (held) {
      line = tail.length === 0 ? this.#line : Buffer.concat([this.#line, tail]);
      this.#line = none;
    }
    if (this.#first) {
      this.#first = false;
      if (line.subarray(0, 3).equals(bom)) line = line.subarray(3);
    }
    if (line.length === 0 && !(this.#overflow && held)) {
      this.#endEvent();
      return;
    }
    if (this.#overflow || line.length < 4 || line.compare(dataName, 0, 4, 0, 4) !== 0) return;
    if (line.length > 4 && line[4] !== 0x3a) return;
    let from = 5;
    if (line[5] === 0x20) from = 6;
    const data = line.length <= from ? none : line.subarray(from);
    if (this.#held + data.length > limits.sseEventBytes) {
      this.#drop();
      return;
    }
    // A view of the chunk must be copied if the event may end in a later chunk; copying always is simpler and small.
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
