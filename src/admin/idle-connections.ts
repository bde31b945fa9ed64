import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Longest time without a byte either way, in ms: a client that does not take its answer goes too. */
const silentMs = 60_000;

/**
 * Bounds open connections without turning new ones away: beyond the bound the one goes that has been without a whole request for
 * longest. So clients that connect and say nothing, or half of a request, cannot keep probes out.
 */
export class IdleConnections {
  readonly #most: number;
  /** Without a whole request, oldest first. */
  readonly #idle = new Set<Socket>();
  #open = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Bounds the connections of a server, and how long each of them may be silent. */
  static bound(server: Server, most: number): void {
    const idle = new IdleConnections(most);
    server.on('connection', (socket: Socket) => idle.add(socket));
    // Before the server's own handler: it may answer within the same call.
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      // Nothing is done for a request whose body has not come: until then it is half of one.
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
    // All busy: then it is the new one.
    const [oldest] = this.#idle;
    (oldest ?? socket).destroy();
  }

  /** A whole request came on it. */
  busy(socket: Socket): void {
    this.#idle.delete(socket);
  }

  /** Its request was answered. */
  free(socket: Socket): void {
    if (!socket.destroyed) this.#idle.add(socket);
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
