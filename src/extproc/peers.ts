/** How long an Envoy may be without any connection before it counts as gone, in ms: it connects again within one. */
const graceMs = 3_000;

/** Knows which Envoys are there, by their connections. On a Unix socket all count as one. */
export class Peers {
  readonly #connections = new Map<string, number>();
  readonly #leaving = new Map<string, NodeJS.Timeout>();
  readonly #onGone: (peer: string) => void;

  /** `onGone`: told each time the last connection of an Envoy has been closed for a while. */
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
