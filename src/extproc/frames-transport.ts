import { chmodSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { roomSocket, workersSocket } from '../lib/room-socket.ts';
import { accessLogPath } from './access-log.ts';
import { AccessLogCall, answerBlock, endBlock, healthReply, ProcessCall, trailerBlock, type CallContext } from './frames-calls.ts';
import { Http2Connection } from './h2/connection.ts';
import { headerOf, type Header } from './h2/hpack.ts';
import { MemoryInFlight } from './h2/memory.ts';
import type { Http2Stream, StreamOwner } from './h2/stream.ts';
import { Peers } from './peers.ts';
import { clearStaleSocket, socketPath } from './socket.ts';
import type { Services, Transport } from './types.ts';

const processPath = '/envoy.service.ext_proc.v3.ExternalProcessor/Process';
const checkPath = '/grpc.health.v1.Health/Check';
const watchPath = '/grpc.health.v1.Health/Watch';

/** During a drain: interval between checks for open calls, in ms. */
const lookMs = 20;

/** Until a renewed connection's log ends: for the entries of requests that were in progress. In ms. */
const renewMs = 250;

/** A Unix socket is in one pod or on one machine: all connections are from one Envoy. */
const socketPeer = 'socket';

/** Health calls: what comes after their headers is not read, and not kept. */
const ignore: StreamOwner = { data: () => undefined, closed: () => undefined };

export interface FramesOptions {
  /** Bound of the bytes that all connections hold together. */
  readonly memoryBytes?: number;
  /** Most concurrent streams of a connection. */
  readonly streams?: number;
  /** How long a TCP connection may be silent before it is asked for a sign of life, and then before it is cut, in ms. */
  readonly keepaliveMs?: number;
  /** Several processes serve the address: their parent gives the socket that they share its name, and looks after its file. */
  readonly shared?: boolean;
  /** Another process may listen at its Unix socket until this one takes its place. */
  readonly replaces?: boolean;
}

/**
 * The ext_proc service and gRPC health on our own HTTP/2 implementation, on a Unix socket or TCP: only the parts of gRPC that Envoy needs,
 * for a fraction of the CPU of a general stack.
 */
export class FramesTransport implements Transport {
  readonly #options: FramesOptions;
  readonly #memory: MemoryInFlight;
  readonly #connections = new Set<Http2Connection>();
  /** Connections that Envoy was asked to open again. */
  readonly #leaving = new Set<Http2Connection>();
  readonly #watchers = new Set<Http2Stream>();
  readonly #logs = new Set<AccessLogCall>();
  #services: Services | null = null;
  #peers: Peers | null = null;
  #draining = false;
  /** Requests and attempts in progress: Envoy's log may still report them. */
  #calls = 0;
  readonly #callOver = (): void => {
    this.#calls--;
  };
  #server: Server | null = null;
  #serving = false;
  #socket: string | null = null;
  #keepalive: NodeJS.Timeout | undefined;

  constructor(options: FramesOptions = {}) {
    this.#options = options;
    this.#memory = new MemoryInFlight(options.memoryBytes ?? limits.transportMemoryBytes);
  }

  /** Bytes of messages that are held now. */
  get heldBytes(): number {
    return this.#memory.held;
  }

  async listen(address: string, services: Services): Promise<string> {
    this.#services = services;
    this.#peers = new Peers((peer) => services.gone?.(peer));
    const path = socketPath(address);
    const shared = this.#options.shared === true;
    const own = path === null ? null : await this.#ownSocket(path);
    const server = createServer({ allowHalfOpen: false }, (socket) =>
      this.#connected(socket, services, path === null ? (socket.remoteAddress ?? 'unknown') : socketPeer),
    );
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: Error) => reject(new SluiceError('SLUICE_LISTEN', error.message, { where: address, cause: error })));
      if (own !== null) {
        server.listen(own, resolve);
      } else {
        const colon = address.lastIndexOf(':');
        server.listen(Number(address.slice(colon + 1)), address.slice(0, colon), resolve);
      }
    });
    if (path !== null) {
      // In most pods, Envoy runs as another user of the same group.
      if (!shared) {
        chmodSync(own!, 0o770);
        if (own !== path) renameSync(own!, path);
        this.#socket = path;
      }
    } else {
      // A process at the other end of a Unix socket cannot vanish without its end.
      this.#keepalive = setInterval(() => {
        for (const connection of this.#connections) connection.checkAlive();
      }, this.#options.keepaliveMs ?? limits.keepaliveMs).unref();
    }
    this.#serving = true;
    const bound = server.address();
    return path === null && bound !== null && typeof bound === 'object' ? address.replace(/:\d+$/, `:${bound.port}`) : address;
  }

  /** Where to listen until it can take the place of `path`. */
  async #ownSocket(path: string): Promise<string> {
    if (this.#options.shared === true) return workersSocket(path);
    if (this.#options.replaces !== true) {
      await clearStaleSocket(path);
      return path;
    }
    const own = roomSocket(path);
    rmSync(own, { force: true });
    return own;
  }

  adopt(connection: Socket): void {
    if (this.#services === null || !this.#serving) connection.destroy();
    else this.#connected(connection, this.#services, socketPeer);
  }

  async drain(graceMs: number): Promise<void> {
    this.#serving = false;
    for (const watcher of this.#watchers) {
      watcher.data(healthReply(false));
      watcher.trailers(trailerBlock.ok);
    }
    const server = this.#server;
    const begun = performance.now();
    await this.#logsOpen(graceMs / 2);
    if (server !== null) {
      let looks: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        let closed = false;
        const cut = setTimeout(
          () => {
            for (const connection of this.#connections) connection.destroy();
          },
          Math.max(0, graceMs - (performance.now() - begun)),
        );
        const look = (): void => {
          this.#endLogs();
          // The server does not count those that it has not accepted itself.
          if (!closed || this.#connections.size > 0) return;
          clearTimeout(cut);
          resolve();
        };
        server.close(() => {
          closed = true;
          look();
        });
        for (const connection of this.#connections) connection.drain();
        this.#draining = true;
        this.#endLogs();
        looks = setInterval(look, lookMs);
      });
      clearInterval(looks);
    }
    clearInterval(this.#keepalive);
    this.#peers?.close();
    if (this.#socket !== null) rmSync(this.#socket, { force: true });
  }

  get connections(): number {
    return this.#connections.size - this.#leaving.size;
  }

  renew(): void {
    const connection = [...this.#connections].find((each) => !this.#leaving.has(each));
    if (connection === undefined) return;
    this.#leaving.add(connection);
    connection.drain();
    // Envoy's log of an answer has to come to the worker that has the request: a log stream must not outlive its connection's use.
    const logs = [...this.#logs];
    setTimeout(() => {
      for (const log of logs) if (this.#logs.delete(log)) log.end();
    }, renewMs).unref();
  }

  #connected(socket: Socket, services: Services, peer: string): void {
    const context: CallContext = { services, memory: this.#memory };
    const connection: Http2Connection = new Http2Connection(socket, {
      accept: (stream, headers) => this.#accept(stream, headers, context, peer),
      closed: () => {
        this.#leaving.delete(connection);
        if (this.#connections.delete(connection)) this.#peers?.disconnected(peer);
      },
      failed: (error, ours) => services.told(ours ? 'connection-cut' : 'connection-lost', error),
      memory: this.#memory,
      ...(this.#options.streams === undefined ? {} : { streams: this.#options.streams }),
    });
    this.#connections.add(connection);
    this.#peers?.connected(peer);
  }

  #log(stream: Http2Stream, context: CallContext): AccessLogCall {
    const call: AccessLogCall = new AccessLogCall(stream, context, { read: () => this.#endLogs(), closed: () => this.#logs.delete(call) });
    this.#logs.add(call);
    return call;
  }

  /**
   * Each of Envoy's threads opens its log stream with its first entry, and could not on a connection that is drained: while entries are
   * expected, connections without one stay open to it.
   */
  async #logsOpen(mostMs: number): Promise<void> {
    const until = performance.now() + mostMs;
    while (this.#services?.awaitsLog() === true && this.#logs.size < this.#connections.size && performance.now() < until)
      await sleep(lookMs);
  }

  /** Envoy's log streams never end by themselves: a drain ends them when no more entries are expected. */
  #endLogs(): void {
    if (!this.#draining || this.#calls > 0 || this.#services?.awaitsLog() !== false) return;
    for (const call of this.#logs) call.end();
    this.#logs.clear();
  }

  #accept(stream: Http2Stream, headers: readonly Header[], context: CallContext, peer: string): StreamOwner {
    switch (headerOf(headers, ':path')) {
      case processPath:
        this.#calls++;
        return new ProcessCall(stream, context, headers, peer, this.#callOver);
      case accessLogPath:
        return this.#log(stream, context);
      case checkPath:
        stream.respond(answerBlock, false);
        stream.data(healthReply(this.#serving));
        stream.trailers(trailerBlock.ok);
        return ignore;
      case watchPath:
        stream.respond(answerBlock, false);
        stream.data(healthReply(this.#serving));
        // A watch request ends at once, so the end of its stream is not reported.
        for (const watcher of this.#watchers) if (watcher.over) this.#watchers.delete(watcher);
        this.#watchers.add(stream);
        return ignore;
      default:
        stream.respond(endBlock.unimplemented, true);
        return ignore;
    }
  }
}
