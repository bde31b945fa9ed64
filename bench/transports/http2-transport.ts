import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { accessLogPath, decodeAccessLog } from '../../src/extproc/access-log.ts';
import { decodeRequest } from '../../src/extproc/decode-request.ts';
import { encodeReply } from '../../src/extproc/encode-reply.ts';
import { frame, FrameReader } from '../../src/extproc/grpc-frames.ts';
import { socketPath } from '../../src/extproc/socket.ts';
import type { Services, Transport } from '../../src/extproc/types.ts';
import { limits } from '../../src/lib/limits.ts';

const answer = { ':status': 200, 'content-type': 'application/grpc' } as const;

/** The two calls of Envoy over Node's own `http2`, with as little around it as possible: what it costs at least. Unix sockets only. */
export class Http2Transport implements Transport {
  #server: Http2Server | null = null;

  listen(address: string, services: Services): Promise<string> {
    const server = createServer({
      settings: { initialWindowSize: limits.http2StreamWindowBytes, maxConcurrentStreams: limits.grpcStreams },
      streamResetBurst: 1_000_000,
      streamResetRate: 1_000_000,
      maxSessionMemory: 1_000,
    });
    this.#server = server;
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      if (headers[':path'] === accessLogPath) readLog(stream, services);
      else process(stream, headers, services);
    });
    return new Promise((resolve) => server.listen(socketPath(address)!, () => resolve(address)));
  }

  drain(): Promise<void> {
    this.#server?.close();
    return Promise.resolve();
  }
}

function readLog(stream: ServerHttp2Stream, services: Services): void {
  const reader = new FrameReader(limits.accessLogMessageBytes);
  stream.on('data', (bytes: Buffer) => {
    for (const message of reader.push(bytes) ?? []) for (const entry of decodeAccessLog(message)) services.logged(entry);
  });
}

function process(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, services: Services): void {
  const reader = new FrameReader(limits.grpcMessageBytes);
  let over = false;
  const handler = services.process(
    {
      send: (reply) => {
        if (over) return;
        if (!stream.headersSent) {
          stream.respond(answer, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        }
        stream.write(frame(encodeReply(reply)));
      },
      end: () => {
        if (over) return;
        over = true;
        if (!stream.headersSent) stream.respond({ ...answer, 'grpc-status': '0' }, { endStream: true });
        else stream.end();
      },
    },
    'listener',
    headers['traceparent'] as string | undefined,
    'socket',
  );
  stream.on('data', (bytes: Buffer) => {
    for (const message of reader.push(bytes) ?? []) if (!over) handler.message(decodeRequest(message));
    if (reader.unfinished > 0) reader.assemble();
  });
  stream.on('close', () => handler.closed(true));
}
