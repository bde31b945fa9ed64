import type { Pipeline } from '../exchange/gateway.ts';
import { AttemptSession } from '../extproc/attempt-session.ts';
import type { TellEvent } from '../extproc/events.ts';
import { Session } from '../extproc/session.ts';
import { socketPath } from '../extproc/socket.ts';
import { SocketTransport } from '../extproc/socket-transport.ts';
import type { Transport } from '../extproc/types.ts';

/** Where Envoys connect. */
export interface OpenTransport {
  /** Resolves with the bound address; rejects with SLUICE_LISTEN. */
  listen(pipeline: Pipeline, told: TellEvent): Promise<string>;
}

/** `listen`: `unix:/path` or `host:port`. `graceMs`: what its drain may take, asked when it ends. */
export async function openTransport(listen: string, stack: AsyncDisposableStack, graceMs: () => number): Promise<OpenTransport> {
  // On the socket beside an Envoy every microsecond counts; over TCP the well-kept library does the talking.
  const transport: Transport =
    socketPath(listen) === null ? new (await import('../extproc/grpc-transport.ts')).GrpcTransport() : new SocketTransport();
  stack.defer(() => transport.drain(graceMs()));
  return {
    listen: (pipeline, told) =>
      transport.listen(listen, {
        process: (stream, role, traceparent, peer) =>
          role === 'listener' ? new Session(stream, pipeline, told, traceparent, peer) : new AttemptSession(stream, role, pipeline, told),
        logged: (entry) => pipeline.logged(entry),
        awaitsLog: () => pipeline.awaitsLog(),
        gone: (peer) => pipeline.gone(peer),
        told,
      }),
  };
}
