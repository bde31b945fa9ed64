/**
 * Pieces of one part (a line, an element) that arrives in several chunks, up to `most` bytes. Of a longer part nothing is kept: it is
 * skipped whole, and counted when it ends.
 */
export class HeldPieces {
  readonly #most: number;
  #pieces: Buffer[] = [];
  #held = 0;
  #overflow = false;
  skipped = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Keeps a copy of a piece that is not the part's last one. */
  hold(piece: Buffer): void {
    if (this.#overflow) return;
    this.#held += piece.length;
    if (this.#held > this.#most) {
      this.#overflow = true;
      this.#pieces = [];
    } else {
      this.#pieces.push(Buffer.from(piece));
    }
  }

  /** The whole part, with its last piece, which is not copied if it is the only one; null if the part is skipped. The next part begins. */
  take(last: Buffer): Buffer | null {
    let whole: Buffer | null = null;
    if (this.#overflow) this.skipped++;
    else whole = this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]);
    this.#pieces = [];
    this.#held = 0;
    this.#overflow = false;
    return whole;
  }
}
