import { randomFillSync } from 'node:crypto';

/** Bytes of a row's salt. */
export const saltBytes = 16;

/** Salts made at once. */
const salts = 256;

/** Puts a new salt before each row's content, as they are hashed, in memory that is used again. */
export class SaltedContent {
  readonly #salts = Buffer.alloc(salts * saltBytes);
  #salt = this.#salts.length;
  #bytes = Buffer.alloc(16 * 1024);

  /** The salt and the content behind it, in UTF-8; valid until the next content. */
  of(body: string): Buffer {
    if (this.#salt === this.#salts.length) {
      randomFillSync(this.#salts);
      this.#salt = 0;
    }
    const most = saltBytes + 3 * body.length;
    if (this.#bytes.length < most) this.#bytes = Buffer.allocUnsafeSlow(2 * most);
    this.#salts.copy(this.#bytes, 0, this.#salt, (this.#salt += saltBytes));
    return this.#bytes.subarray(0, saltBytes + this.#bytes.write(body, saltBytes, 'utf8'));
  }
}
