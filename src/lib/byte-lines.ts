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
    if (this.#bytes.length - this.#length < most) {
      const larger = Buffer.allocUnsafeSlow(2 * (this.#length + most));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(text, this.#length, most, 'utf8');
  }

  /** Returns everything added since the last call, in newly allocated memory. */
  take(): Buffer<ArrayBuffer> {
    const bytes = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#length = 0;
    return bytes;
  }
}
