import type { Pipeline } from '../exchange/gateway.ts';
import { AttemptStream } from '../extproc/attempt-stream.ts';
import type { TellEvent } from '../extproc/events.ts';
import { RequestStream } from '../extproc/request-stream.ts';
import { socketPath } from '../extproc/socket.ts';
import { endQuietStart } from '../lib/quiet-start.ts';
import { makeTransport } from '../extproc/transports.ts';
import type { SluiceOptions } from './options.ts';
import { isStartedAgain, type Supervised } from './supervised.ts';

/** The transport to which Envoys connect. */
export interface OpenTransport {
  /** Resolves with the bound address; rejects with SLUICE_LISTEN. */
  listen(pipeline: Pipeline, told: TellEvent): Promise<string>;
  /** Whether an Envoy has sent a request since the start. */
  used(): boolean;
  /** Connections on which requests may come. */
  connections(): number;
  /** How connections that have waited for this process reach it; null where they cannot. */
  waits(): Pick<Supervised, 'socket' | 'adopt'> | null;
  /** Has Envoy open one of them again. */
  renew(): void;
}

/** `listen` is `unix:/path` or `host:port`. `graceMs`: the drain timeout, read when the transport closes. */
export async function openTransport(
  {
    listen,
    transport: name,
    transportMemoryBytes,
    worker,
  }: Pick<SluiceOptions, 'listen' | 'transport' | 'transportMemoryBytes' | 'worker'>,
  stack: AsyncDisposableStack,
  graceMs: () => number,
): Promise<OpenTransport> {
  const transport = await makeTransport(name, {
    memoryBytes: transportMemoryBytes,
    shared: worker !== undefined,
    replaces: isStartedAgain(),
  });
  stack.defer(() => transport.drain(graceMs()));
  let used = false;
  return {
    used: () => used,
    connections: () => transport.connections ?? 0,
    renew: () => transport.renew?.(),
    waits: () => {
      const socket = socketPath(listen);
      return socket === null || worker !== undefined || transport.adopt === undefined
        ? null
        : { socket, adopt: (connection) => transport.adopt!(connection) };
    },
    listen: (pipeline, told) =>
      transport.listen(listen, {
        process: (stream, role, traceparent, peer) => {
          if (!used) endQuietStart();
          used = true;
          return role === 'listener'
            ? new RequestStream(stream, pipeline, told, traceparent, peer)
            : new AttemptStream(stream, role, pipeline, told);
        },
        logged: (entry) => pipeline.logged(entry),
        awaitsLog: () => pipeline.awaitsLog(),
        gone: (peer) => pipeline.gone(peer),
        told,
      }),
  };
}
