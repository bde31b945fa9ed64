/** How long an Envoy may have no connection before it counts as gone, in ms: a live one reconnects within this time. */
const graceMs = 3_000;

/** Tracks which Envoys are connected. On a Unix socket all count as one. */
export class Peers {
  readonly #connections = new Map<string, number>();
  readonly #leaving = new Map<string, NodeJS.Timeout>();
  readonly #onGone: (peer: string) => void;

  /** `onGone`: called when the last connection of an Envoy has been closed for that time. */
  constructor(onGone: (peer: string) => void) {
    this.#onGone = onGone;
  }

  connected(peer: string): void {
    this.#connections.set(peer, (this.#connections.get(peer) ?? 0) + 1);
    clearTimeout(this.#leaving.get(peer));
    this.#leaving.delete(peer);
  }

  disconnected(peer: string): void {
    const left = (this.#connections.get(peer) ?? 1) - 1;
    if (left > 0) {
      this.#connections.set(peer, left);
      return;
    }
    this.#connections.delete(peer);
    this.#leaving.set(
      peer,
      setTimeout(() => {
        this.#leaving.delete(peer);
        this.#onGone(peer);
      }, graceMs).unref(),
    );
  }

  close(): void {
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    this.#leaving.clear();
  }
}
