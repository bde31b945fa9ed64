import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { ProtocolEvent } from '../events.ts';
import type { ProcStream, Services } from '../types.ts';

export interface ToldEvent {
  readonly event: ProtocolEvent;
  readonly reason: string;
}

/** Services that reply to each message, unless `onMessage` returns false, and record the messages. */
export function replying(
  told: ToldEvent[],
  onMessage: () => boolean = () => true,
  onOpen: (stream: ProcStream) => void = () => undefined,
): Services {
  return {
    process: (stream) => {
      onOpen(stream);
      return {
        message: ({ phase }) => {
          if (!onMessage()) return;
          stream.send({ kind: 'continue', phase: phase.kind });
          stream.end();
        },
        closed: () => undefined,
      };
    },
    logged: () => undefined,
    awaitsLog: () => false,
    told: (event, error) => told.push({ event, reason: error instanceof Error ? error.message : '' }),
  };
}

/** A call of the request filter's service, by a client of HTTP/2 that sends the frames of gRPC itself. */
export function call(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/envoy.service.ext_proc.v3.ExternalProcessor/Process',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  return stream;
}

/** How the call ends: its gRPC status, or the code with which it was reset. */
export function status(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    stream.on('response', (headers) => headers['grpc-status'] !== undefined && resolve(String(headers['grpc-status'])));
    stream.on('trailers', (headers: Readonly<Record<string, unknown>>) => resolve(String(headers['grpc-status'])));
    stream.on('close', () => resolve(`reset ${stream.rstCode}`));
    stream.resume();
  });
}
