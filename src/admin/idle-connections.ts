import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Maximum time without a byte in either direction, in ms: a client that does not read its response is closed too. */
const silentMs = 60_000;

/**
 * Bounds open connections without rejecting new ones: beyond the bound, closes the connection that has been without a whole request for
 * longest. So clients that connect and send nothing, or half a request, cannot keep probes out.
 */
export class IdleConnections {
  readonly #most: number;
  /** Connections without a whole request, oldest first. */
  readonly #idle = new Set<Socket>();
  #open = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Bounds a server's connections, and how long each of them may be silent. */
  static bound(server: Server, most: number): void {
    const idle = new IdleConnections(most);
    server.on('connection', (socket: Socket) => idle.add(socket));
    // Before the server's own handler, which may answer within the same call.
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      // Until its body has arrived, a request counts as incomplete.
      if (hasBody(request)) request.once('end', () => idle.busy(request.socket));
      else idle.busy(request.socket);
      response.once('close', () => idle.free(request.socket));
    });
    server.requestTimeout = 10_000;
    server.headersTimeout = 5_000;
    server.timeout = silentMs;
  }

  add(socket: Socket): void {
    this.#open++;
    this.#idle.add(socket);
    socket.once('close', () => {
      this.#open--;
      this.#idle.delete(socket);
    });
    if (this.#open <= this.#most) return;
    // If all are busy, the new one is closed.
    const [oldest] = this.#idle;
    (oldest ?? socket).destroy();
  }

  /** A whole request arrived on the connection. */
  busy(socket: Socket): void {
    this.#idle.delete(socket);
  }

  /** The request was answered. */
  free(socket: Socket): void {
    if (!socket.destroyed) this.#idle.add(socket);
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
