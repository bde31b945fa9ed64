import { grown } from './grown.ts';
import type { JsonBytes } from './json-bytes.ts';

/** Collects texts as bytes in a buffer that is reused for every batch. */
export class ByteLines {
  #bytes: Buffer;
  #length = 0;

  /** `size`: typical bytes of a batch. */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  get length(): number {
    return this.#length;
  }

  /** Adds `text` in UTF-8. */
  add(text: string): void {
    const most = 3 * text.length;
    this.#room(most);
    this.#length += this.#bytes.write(text, this.#length, most, 'utf8');
  }

  addJson(json: JsonBytes): void {
    this.#room(json.length);
    json.copyTo(this.#bytes, this.#length);
    this.#length += json.length;
  }

  #room(bytes: number): void {
    if (this.#length + bytes > this.#bytes.length) this.#bytes = grown(this.#bytes, 0, this.#length, bytes);
  }

  /** Returns everything added since the last call, in newly allocated memory. */
  take(): Buffer<ArrayBuffer> {
    const bytes = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#length = 0;
    return bytes;
  }
}
