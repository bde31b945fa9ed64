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
    if (this.#bytes.length - this.#length >= bytes) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  /** Returns everything added since the last call, in newly allocated memory. */
  take(): Buffer<ArrayBuffer> {
    const bytes = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#length = 0;
    return bytes;
  }
}
