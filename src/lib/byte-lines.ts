/** Texts that are gathered as bytes, in memory that serves batch after batch. */
export class ByteLines {
  #bytes: Buffer;
  #length = 0;

  /** `size`: bytes that a batch usually comes to. */
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

  /** All that was added since the last time, in memory of its own. */
  take(): Buffer<ArrayBuffer> {
    const bytes = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#length = 0;
    return bytes;
  }
}
