/** A connection as the budget sees it. */
export interface Unsent {
  /** Bytes of answers that the peer has not taken yet. */
  readonly unsent: number;
  /** The connection is cut because all connections together hold too many such bytes. */
  unread(): void;
}

interface Waiting {
  readonly bytes: number;
  readonly granted: () => void;
}

/** Shares of the whole: large messages, other messages that are held, answers that are not read. */
const largeShare = 1 / 2;
const smallShare = 1 / 8;
const unsentShare = 3 / 8;

/**
 * The bytes that all connections of a transport hold together, bounded. A message above a stream's window waits in line until its whole
 * length fits: each message that began to arrive can then arrive completely, so that half-arrived messages never block each other.
 */
export class MemoryInFlight {
  readonly #largeLimit: number;
  readonly #smallLimit: number;
  readonly #unsentLimit: number;
  #large = 0;
  #small = 0;
  readonly #line = new Set<Waiting>();
  readonly #connections = new Set<Unsent>();

  /** `bytes`: the bound of everything together. */
  constructor(bytes: number) {
    this.#largeLimit = bytes * largeShare;
    this.#smallLimit = bytes * smallShare;
    this.#unsentLimit = bytes * unsentShare;
  }

  /** Bytes of messages held now. */
  get held(): number {
    return this.#large + this.#small;
  }

  /** Messages that wait until they fit. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Holds `bytes` of a message that fits a stream's window; false if there is no room. */
  take(bytes: number): boolean {
    if (this.#small + bytes > this.#smallLimit) return false;
    this.#small += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#small -= bytes;
  }

  /**
   * Holds a large message of `bytes` bytes. Returns null if it is held at once; otherwise `granted` is called later, unless the returned
   * function is called first.
   */
  reserve(bytes: number, granted: () => void): (() => void) | null {
    if (this.#line.size === 0 && this.#fits(bytes)) {
      this.#large += bytes;
      return null;
    }
    const waiting: Waiting = { bytes, granted };
    this.#line.add(waiting);
    return () => {
      // The next in line may be smaller, and fit.
      if (this.#line.delete(waiting)) this.#admit();
    };
  }

  /** A large message is not held any more. */
  free(bytes: number): void {
    this.#large -= bytes;
    this.#admit();
  }

  add(connection: Unsent): void {
    this.#connections.add(connection);
  }

  remove(connection: Unsent): void {
    this.#connections.delete(connection);
  }

  /** Cuts the connection with the most unread answers if all together have too many. */
  checkUnsent(): void {
    let total = 0;
    let most: Unsent | null = null;
    for (const connection of this.#connections) {
      total += connection.unsent;
      if (most === null || connection.unsent > most.unsent) most = connection;
    }
    if (total > this.#unsentLimit) most!.unread();
  }

  /** A message larger than the whole share is held alone: the transport's longest message is the bound then. */
  #fits(bytes: number): boolean {
    return this.#large === 0 || this.#large + bytes <= this.#largeLimit;
  }

  #admit(): void {
    for (const waiting of this.#line) {
      if (!this.#fits(waiting.bytes)) return;
      this.#line.delete(waiting);
      this.#large += waiting.bytes;
      waiting.granted();
    }
  }
}
