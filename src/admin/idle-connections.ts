import type { Socket } from 'node:net';

/**
 * Bounds open connections without turning new ones away: beyond the bound the one goes that has been without a request for longest. So
 * clients that connect and say nothing cannot keep probes out.
 */
export class IdleConnections {
  readonly #most: number;
  /** Without a request, oldest first. */
  readonly #idle = new Set<Socket>();
  #open = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(socket: Socket): void {
    this.#open++;
    this.#idle.add(socket);
    socket.once('close', () => {
      this.#open--;
      this.#idle.delete(socket);
    });
    if (this.#open <= this.#most) return;
    // All busy: then it is the new one.
    const [oldest] = this.#idle;
    (oldest ?? socket).destroy();
  }

  /** A request came on it. */
  busy(socket: Socket): void {
    this.#idle.delete(socket);
  }

  /** Its request was answered. */
  free(socket: Socket): void {
    if (!socket.destroyed) this.#idle.add(socket);
  }
}
