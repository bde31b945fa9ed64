import { chmodSync, rmSync } from 'node:fs';
import { constants, createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { SluiceError } from '../errors.ts';
import { limits } from '../limits.ts';
import { decodeRequest, encodeReply } from './codec.ts';
import { FrameReader, frame } from './grpc-frames.ts';
import { clearStaleSocket, resetAllowance, socketPath } from './socket.ts';
import type { ProcessingRequest, ProcStream, Reply, StreamHandler, Transport } from './types.ts';

const processPath = '/envoy.service.ext_proc.v3.ExternalProcessor/Process';
const checkPath = '/grpc.health.v1.Health/Check';
const watchPath = '/grpc.health.v1.Health/Watch';

const answerHeaders = { ':status': 200, 'content-type': 'application/grpc' } as const;

/** HealthCheckResponse{status}: 1 is SERVING, 2 is NOT_SERVING. */
const healthReply = (serving: boolean): Buffer => frame(Buffer.from([0x08, serving ? 1 : 2]));

const invalidArgument = '3';
const unimplemented = '12';

/**
 * All is said: the peer need not finish its half (RFC 9113, 8.1). Envoy would reset the stream itself, with an error code of
 * which Node makes an Error with its stack: 15% of all CPU.
 */
function closeCleanly(stream: ServerHttp2Stream): void {
  // A turn later, when the trailers are on their way: a reset would overtake them.
  setImmediate(() => {
    if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}

/** gRPC status and, once per stream, how it was told. */
interface Call {
  readonly stream: ServerHttp2Stream;
  status: string;
}

/** The ext_proc service and gRPC health straight on Node's http2: what Envoy needs of gRPC and no more, for less CPU than grpc-js. */
export class Http2Transport implements Transport {
  readonly #onDecodeError: () => void;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #watchers = new Set<ServerHttp2Stream>();
  #server: Http2Server | null = null;
  #serving = false;
  #socket: string | null = null;

  /** `onDecodeError` is told of every message that is not a ProcessingRequest; its stream has been ended. */
  constructor(onDecodeError: () => void) {
    this.#onDecodeError = onDecodeError;
  }

  async listen(address: string, open: (stream: ProcStream) => StreamHandler): Promise<string> {
    const path = socketPath(address);
    if (path !== null) await clearStaleSocket(path);
    const server = createServer({
      ...resetAllowance,
      maxSessionMemory: 1024,
      settings: { maxConcurrentStreams: limits.grpcStreams, initialWindowSize: 4 * 1024 * 1024 },
    });
    this.#server = server;
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('error', () => session.destroy());
      session.on('close', () => this.#sessions.delete(session));
      // One connection carries all requests: its window must not be the narrowest place.
      session.setLocalWindowSize(64 * 1024 * 1024);
    });
    server.on('stream', (stream, headers) => this.#accept(stream, headers, open));
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
      // Envoy runs as another user of the same group in most pods.
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
      watcher.write(healthReply(false));
      watcher.end();
    }
    const server = this.#server;
    if (server !== null) {
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          for (const session of this.#sessions) session.destroy();
        }, graceMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        // GOAWAY: no new streams; the session closes when its last one has ended.
        for (const session of this.#sessions) session.close();
      });
    }
    if (this.#socket !== null) rmSync(this.#socket, { force: true });
  }

  #accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, open: (stream: ProcStream) => StreamHandler): void {
    // A reset is an event of the stream's life here, and told by `close`.
    stream.on('error', () => undefined);
    switch (headers[':path']) {
      case processPath:
        this.#process({ stream, status: '0' }, open);
        return;
      case checkPath:
        stream.resume();
        this.#answerHealth(stream);
        stream.end();
        return;
      case watchPath:
        stream.resume();
        this.#answerHealth(stream);
        this.#watchers.add(stream);
        stream.on('close', () => this.#watchers.delete(stream));
        return;
      default:
        stream.respond({ ...answerHeaders, 'grpc-status': unimplemented }, { endStream: true });
        stream.resume();
    }
  }

  #answerHealth(stream: ServerHttp2Stream): void {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.respond(answerHeaders, { waitForTrailers: true });
    stream.write(healthReply(this.#serving));
  }

  #process(call: Call, open: (stream: ProcStream) => StreamHandler): void {
    const { stream } = call;
    let over = false;
    let responded = false;
    let told = false;
    const respond = (): void => {
      if (responded) return;
      responded = true;
      stream.on('wantTrailers', () => {
        stream.sendTrailers({ 'grpc-status': call.status });
        closeCleanly(stream);
      });
      stream.respond(answerHeaders, { waitForTrailers: true });
    };
    const end = (): void => {
      if (over) return;
      over = true;
      if (stream.destroyed) return;
      if (responded) stream.end();
      else {
        stream.respond({ ...answerHeaders, 'grpc-status': call.status }, { endStream: true });
        closeCleanly(stream);
      }
    };
    const handler = open({
      send(reply: Reply) {
        if (over || stream.destroyed) return;
        respond();
        stream.write(frame(encodeReply(reply)));
      },
      end,
    });
    const close = (cancelled: boolean): void => {
      if (told) return;
      told = true;
      handler.closed(cancelled);
    };
    const refuse = (): void => {
      this.#onDecodeError();
      call.status = invalidArgument;
      end();
      close(true);
    };
    const reader = new FrameReader(limits.grpcMessageBytes);
    stream.on('data', (bytes: Buffer) => {
      // After our own end Envoy may still have a message on its way; nobody waits for an answer to it.
      if (over) return;
      const messages = reader.push(bytes);
      if (messages === null) {
        refuse();
        return;
      }
      for (const message of messages) {
        let request: ProcessingRequest;
        try {
          request = decodeRequest(message);
        } catch {
          refuse();
          return;
        }
        if (!over) handler.message(request);
      }
    });
    stream.on('end', () => {
      // A reset looks like an end first; only a clean half-close is one.
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || stream.aborted) return;
      close(false);
      end();
    });
    stream.on('close', () => {
      over = true;
      close(true);
    });
  }
}
