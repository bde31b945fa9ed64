/** Start of a binary COPY: its signature, no flags, no extension. */
const head = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');

const startBytes = 1024 * 1024;

/** Memory kept between batches. */
const keptBytes = 16 * 1024 * 1024;

const high = 2 ** 32;

/**
 * Rows in PostgreSQL's binary COPY format, in memory that is used again for every batch: the server reads numbers and texts as they are,
 * and nothing is escaped.
 */
export class CopyBytes {
  #bytes: Buffer = Buffer.allocUnsafeSlow(startBytes);
  #length = 0;
  #rows = 0;

  get rows(): number {
    return this.#rows;
  }

  clear(): void {
    this.#rows = 0;
    this.#length = 0;
    if (this.#bytes.length > keptBytes) this.#bytes = Buffer.allocUnsafeSlow(startBytes);
  }

  /** Everything since `clear`, with its end. Valid until the next call of any method. */
  take(): Buffer {
    this.#room(2);
    this.#bytes.writeInt16BE(-1, this.#length);
    return this.#bytes.subarray(0, this.#length + 2);
  }

  /** Begins a row of this many fields. */
  row(fields: number): void {
    if (this.#rows === 0) {
      this.#room(head.length);
      this.#length = head.copy(this.#bytes, 0);
    }
    this.#room(2);
    this.#length = this.#bytes.writeInt16BE(fields, this.#length);
    this.#rows++;
  }

  none(): void {
    this.#room(4);
    this.#length = this.#bytes.writeInt32BE(-1, this.#length);
  }

  text(text: string): void {
    const most = 3 * text.length;
    this.#room(4 + most);
    const bytes = this.#bytes.write(text, this.#length + 4, most, 'utf8');
    this.#bytes.writeInt32BE(bytes, this.#length);
    this.#length += 4 + bytes;
  }

  bytes(bytes: Uint8Array): void {
    this.#room(4 + bytes.length);
    this.#bytes.writeInt32BE(bytes.length, this.#length);
    this.#bytes.set(bytes, this.#length + 4);
    this.#length += 4 + bytes.length;
  }

  /** An `integer`. */
  int(value: number): void {
    this.#room(8);
    this.#bytes.writeInt32BE(4, this.#length);
    this.#length = this.#bytes.writeInt32BE(value, this.#length + 4);
  }

  /** A `bigint`, of a whole number below 2^53. */
  bigint(value: number): void {
    this.#room(12);
    this.#bytes.writeInt32BE(8, this.#length);
    this.#bytes.writeInt32BE(Math.floor(value / high), this.#length + 4);
    this.#length = this.#bytes.writeUInt32BE(value >>> 0, this.#length + 8);
  }

  /** A `double precision`. */
  double(value: number): void {
    this.#room(12);
    this.#bytes.writeInt32BE(8, this.#length);
    this.#length = this.#bytes.writeDoubleBE(value, this.#length + 4);
  }

  #room(bytes: number): void {
    if (this.#bytes.length - this.#length >= bytes) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
