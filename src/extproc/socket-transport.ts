import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { accessLogPath, decodeAccessLog } from './access-log.ts';
import { decodeRequest, encodeReplyPieces } from './codec.ts';
import { fillPrefix, frame, FrameReader, prefixBytes } from './grpc-frames.ts';
import { Http2Connection } from './h2/connection.ts';
import { encodeHeaders, type Header } from './h2/hpack.ts';
import type { Http2Stream, StreamOwner } from './h2/stream.ts';
import { wantsBody } from './session.ts';
import { clearStaleSocket, socketPath } from './socket.ts';
import { Peers } from './peers.ts';
import { roleHeader } from '../attach/names.ts';
import { roleOf } from './roles.ts';
import type { ProcessingRequest, ProcStream, Reply, Services, StreamHandler, Transport } from './types.ts';
import { WireError } from './wire.ts';

const processPath = '/envoy.service.ext_proc.v3.ExternalProcessor/Process';
const checkPath = '/grpc.health.v1.Health/Check';
const watchPath = '/grpc.health.v1.Health/Watch';

/** During a drain: interval between checks for open calls, in ms. */
const lookMs = 20;

const status = { ok: '0', invalidArgument: '3', unimplemented: '12' } as const;
type Status = keyof typeof status;

const answer: readonly Header[] = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];
const answerBlock: Buffer = encodeHeaders(answer);
const trailerBlock = Object.fromEntries(
  Object.entries(status).map(([name, code]) => [name, encodeHeaders([['grpc-status', code]])]),
) as Record<Status, Buffer>;
/** Response headers and trailers in one block, for calls that get no message. */
const endBlock = Object.fromEntries(
  Object.entries(status).map(([name, code]) => [name, encodeHeaders([...answer, ['grpc-status', code]])]),
) as Record<Status, Buffer>;

/** The socket is in one pod or on one machine: all connections are from one Envoy. */
const onePeer = 'socket';

/** HealthCheckResponse{status}: 1 is SERVING, 2 is NOT_SERVING. */
const healthReply = (serving: boolean): Buffer => frame(Buffer.from([0x08, serving ? 1 : 2]));

const ignore: StreamOwner = { data: () => true, closed: () => undefined };

/**
 * The ext_proc service and gRPC health on our own HTTP/2 implementation: only the parts of gRPC that Envoy needs, for a fraction of the CPU
 * of a general stack.
 */
export class SocketTransport implements Transport {
  readonly #connections = new Set<Http2Connection>();
  readonly #watchers = new Set<Http2Stream>();
  readonly #logs = new Set<AccessLogCall>();
  #services: Services | null = null;
  #peers: Peers | null = null;
  #draining = false;
  /** Requests and attempts in progress: Envoy's log may still report them. */
  #calls = 0;
  #server: Server | null = null;
  #serving = false;
  #socket: string | null = null;

  async listen(address: string, services: Services): Promise<string> {
    this.#services = services;
    const peers = new Peers((peer) => services.gone?.(peer));
    this.#peers = peers;
    const path = socketPath(address);
    if (path !== null) await clearStaleSocket(path);
    const server = createServer({ allowHalfOpen: false }, (socket) => {
      const connection: Http2Connection = new Http2Connection(
        socket,
        (stream, headers) => this.#accept(stream, headers, services),
        () => {
          if (this.#connections.delete(connection)) peers.disconnected(onePeer);
        },
        (error, ours) => services.told(ours ? 'connection-cut' : 'connection-lost', error),
      );
      this.#connections.add(connection);
      peers.connected(onePeer);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: Error) => reject(new SluiceError('SLUICE_LISTEN', error.message, { where: address, cause: error })));
      if (path !== null) {
        server.listen(path, resolve);
      } else {
        const colon = address.lastIndexOf(':');
        server.listen(Number(address.slice(colon + 1)), address.slice(0, colon), resolve);
      }
    });
    if (path !== null) {
      // In most pods, Envoy runs as another user of the same group.
      chmodSync(path, 0o770);
      this.#socket = path;
    }
    this.#serving = true;
    const bound = server.address();
    return path === null && bound !== null && typeof bound === 'object' ? address.replace(/:\d+$/, `:${bound.port}`) : address;
  }

  async drain(graceMs: number): Promise<void> {
    this.#serving = false;
    for (const watcher of this.#watchers) {
      watcher.data(healthReply(false));
      watcher.trailers(trailerBlock.ok);
    }
    const server = this.#server;
    if (server !== null) {
      let looks: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          for (const connection of this.#connections) connection.destroy();
        }, graceMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        for (const connection of this.#connections) connection.drain();
        this.#draining = true;
        this.#endLogs();
        looks = setInterval(() => this.#endLogs(), lookMs);
      });
      clearInterval(looks);
    }
    this.#peers?.close();
    if (this.#socket !== null) rmSync(this.#socket, { force: true });
  }

  #log(stream: Http2Stream, services: Services): AccessLogCall {
    const call: AccessLogCall = new AccessLogCall(stream, services, { read: () => this.#endLogs(), closed: () => this.#logs.delete(call) });
    this.#logs.add(call);
    return call;
  }

  /** Envoy's log streams never end by themselves: a drain ends them when no more entries are expected. */
  #endLogs(): void {
    if (!this.#draining || this.#calls > 0 || this.#services?.awaitsLog() !== false) return;
    for (const call of this.#logs) call.end();
    this.#logs.clear();
  }

  #accept(stream: Http2Stream, headers: readonly Header[], services: Services): StreamOwner {
    switch (headers.find(([name]) => name === ':path')?.[1]) {
      case processPath:
        this.#calls++;
        return new ProcessCall(stream, services, headers, () => this.#calls--);
      case accessLogPath:
        return this.#log(stream, services);
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

function framed(reply: Reply): Buffer[] {
  const pieces = encodeReplyPieces(reply, prefixBytes);
  fillPrefix(pieces);
  return pieces;
}

const wantsBodyMessage: Buffer = Buffer.concat(framed(wantsBody));

/** One Process call: gRPC messages in, replies out. */
class ProcessCall implements StreamOwner, ProcStream {
  readonly #stream: Http2Stream;
  readonly #services: Services;
  readonly #handler: StreamHandler;
  readonly #reader = new FrameReader(limits.grpcMessageBytes);
  readonly #over: () => void;
  #responded = false;
  #told = false;

  /** `over`: called once, when the stream is closed. */
  constructor(stream: Http2Stream, services: Services, headers: readonly Header[], over: () => void) {
    this.#over = over;
    this.#stream = stream;
    this.#services = services;
    const value = (header: string): string | undefined => headers.find(([name]) => name === header)?.[1];
    this.#handler = services.process(this, roleOf(value(roleHeader)), value('traceparent'), onePeer);
  }

  send(reply: Reply): void {
    if (this.#stream.over) return;
    if (!this.#responded) {
      this.#responded = true;
      this.#stream.respond(answerBlock, false);
    }
    if (reply === wantsBody) this.#stream.data(wantsBodyMessage);
    else for (const piece of framed(reply)) this.#stream.data(piece);
  }

  end(): void {
    this.#end('ok');
  }

  data(bytes: Buffer): boolean {
    const messages = this.#reader.push(bytes);
    if (messages === null) {
      this.#refuse(new WireError('no gRPC message'));
      return false;
    }
    const { copied } = this.#reader;
    for (const message of messages) {
      // After we ended the stream, a message from Envoy may still be in flight; it needs no reply.
      if (this.#stream.over) return copied;
      let request: ProcessingRequest;
      try {
        request = decodeRequest(message);
      } catch (error) {
        this.#refuse(error);
        return copied;
      }
      this.#handler.message(request);
    }
    return copied;
  }

  closed(cancelled: boolean): void {
    this.#handler.closed(cancelled);
    if (!cancelled) this.end();
    this.#tell();
  }

  #tell(): void {
    if (this.#told) return;
    this.#told = true;
    this.#over();
  }

  #refuse(error: unknown): void {
    this.#services.told('decode-error', error);
    this.#end('invalidArgument');
    this.#handler.closed(true);
  }

  #end(how: Status): void {
    this.#tell();
    if (this.#responded) this.#stream.trailers(trailerBlock[how]);
    else this.#stream.respond(endBlock[how], true);
  }
}

/** The long-lived call in which Envoy reports ended exchanges. The only reply is its end. */
class AccessLogCall implements StreamOwner {
  readonly #stream: Http2Stream;
  readonly #services: Services;
  readonly #on: { readonly read: () => void; readonly closed: () => void };
  readonly #reader = new FrameReader(limits.accessLogMessageBytes);

  /** `on.read`: called after each message. */
  constructor(stream: Http2Stream, services: Services, on: { readonly read: () => void; readonly closed: () => void }) {
    this.#stream = stream;
    this.#services = services;
    this.#on = on;
  }

  /** Envoy opens another call when it has more entries. */
  end(): void {
    this.#stream.respond(endBlock.ok, true);
  }

  data(bytes: Buffer): boolean {
    const messages = this.#reader.push(bytes);
    try {
      if (messages === null) throw new WireError('no gRPC message');
      for (const message of messages) for (const entry of decodeAccessLog(message)) this.#services.logged(entry);
    } catch (error) {
      this.#services.told('decode-error', error);
      this.#stream.respond(endBlock.invalidArgument, true);
      this.#on.closed();
      return false;
    }
    this.#on.read();
    // Entries may be kept as views of these bytes, and are small.
    return false;
  }

  closed(cancelled: boolean): void {
    this.#on.closed();
    if (!cancelled) this.#stream.respond(endBlock.ok, true);
  }
}
