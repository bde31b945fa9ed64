import type { ChildProcess } from 'node:child_process';
import { chmodSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { roomSocket } from '../lib/room-socket.ts';

/** Most connections that wait: an Envoy opens one for each of its threads. */
const mostConnections = 1_000;
/** How long it takes connections after the next process listens, in ms: until those are accepted that came just before. */
const overlapMs = 1_000;

/**
 * Takes the place of a process at its Unix socket until the next one is ready. What connects meanwhile is not read: it waits, and the next
 * process serves it. To Envoy a restart is a slow answer, so requests are decided late and not let through undecided, as long as Envoy waits.
 */
export class WaitingRoom {
  readonly #path: string;
  readonly #server: Server;
  readonly #waiting = new Set<Socket>();
  #to: ChildProcess | null = null;

  /** Listens under another name, so that `open` takes no time. */
  constructor(path: string) {
    this.#path = path;
    const own = roomSocket(path);
    // Of a supervisor that was killed.
    rmSync(own, { force: true });
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#take(socket));
    // Without it, requests pass undecided until the next process listens.
    this.#server.on('error', () => this.close());
    // As the socket of Sluice itself: in most pods Envoy runs as another user of the same group.
    this.#server.listen(own, () => chmodSync(own, 0o770));
  }

  /** The process is gone. */
  open(): void {
    try {
      renameSync(roomSocket(this.#path), this.#path);
    } catch {
      this.close();
    }
  }

  /** Hands over all that wait, and those that still come in the next moment; then calls `closed`. */
  passTo(child: ChildProcess, closed: () => void): void {
    this.#to = child;
    for (const socket of this.#waiting) this.#pass(socket, child);
    this.#waiting.clear();
    setTimeout(() => {
      this.close();
      closed();
    }, overlapMs);
  }

  /** Nobody is to wait any longer. */
  close(): void {
    this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting.clear();
  }

  #take(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#to !== null) this.#pass(socket, this.#to);
    else if (this.#waiting.size < mostConnections) this.#waiting.add(socket);
    else socket.destroy();
  }

  #pass(socket: Socket, child: ChildProcess): void {
    if (!child.connected) socket.destroy();
    else
      child.send('connection', socket, (error) => {
        if (error !== null) socket.destroy();
      });
  }
}
