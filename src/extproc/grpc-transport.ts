import { rmSync, chmodSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity, type ServerReadableStream } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { SluiceError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { decodeAccessLog } from './access-log.ts';
import { GrpcMemory } from './grpc-memory.ts';
import { ProcessCall, type Call } from './grpc-calls.ts';
import { Peers } from './peers.ts';
import { watchSessions } from './grpc-sessions.ts';
import { loadServices, processorName } from './grpc-services.ts';
import { clearStaleSocket, socketPath } from './socket.ts';
import type { Services, Transport } from './types.ts';

/** During a drain: interval between checks for open calls, in ms. */
const lookMs = 20;

type AccessLogCall = ServerReadableStream<Buffer, Buffer>;

/** The ext_proc service, standard gRPC health and server reflection over @grpc/grpc-js, on a Unix socket or TCP. */
export class GrpcTransport implements Transport {
  readonly #server: Server;
  readonly #health = new HealthImplementation({ '': 'NOT_SERVING', [processorName]: 'NOT_SERVING' });
  /** Functions that end Envoy's open log streams. */
  readonly #logs = new Set<() => void>();
  #socket: string | null = null;
  /** Whether a drain's time ran out, so that connections are cut. */
  #forced = false;
  #services: Services | null = null;
  readonly #peers = new Peers((peer) => this.#services?.gone?.(peer));
  /** Number of requests and attempts in progress. */
  #calls = 0;

  readonly #memory: GrpcMemory;

  /**
   * `keepaliveMs`: how long a connection may be silent before it is asked for a sign of life, and then before it is cut. `memoryBytes`:
   * bound of the bytes that all calls hold together.
   */
  constructor({
    keepaliveMs = limits.keepaliveMs,
    memoryBytes = limits.transportMemoryBytes,
  }: { readonly keepaliveMs?: number; readonly memoryBytes?: number } = {}) {
    this.#memory = new GrpcMemory(memoryBytes, (event, error) => this.#services?.told(event, error));
    // Its own lines on stderr are not JSON; failures are thrown or counted.
    setLogVerbosity(logVerbosity.NONE);
    this.#server = new Server({
      'grpc.max_receive_message_length': limits.grpcMessageBytes,
      'grpc.max_send_message_length': limits.grpcMessageBytes,
      'grpc.max_concurrent_streams': limits.grpcStreams,
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': keepaliveMs,
    });
  }

  /** Bytes of messages and of replies that are held now. */
  get heldBytes(): GrpcMemory['held'] {
    return this.#memory.held;
  }

  async listen(address: string, services: Services): Promise<string> {
    this.#services = services;
    const { processor, accessLog, all } = loadServices();
    this.#server.addService(processor, { Process: (call: Call) => this.#process(call, services) });
    this.#server.addService(accessLog, {
      StreamAccessLogs: (call: AccessLogCall, done: (error: null, reply: Buffer) => void) =>
        this.#accessLog(call, services, () => done(null, Buffer.alloc(0))),
    });
    this.#health.addToServer(this.#server);
    new ReflectionService(all).addToServer(this.#server);
    const path = socketPath(address);
    if (path !== null) await clearStaleSocket(path);
    watchSessions(this.#server, this.#peers, {
      onSession: (session) => this.#memory.watch(session),
      // What a drain cuts at its end is no fault of the connection.
      onError: (error) => this.#forced || services.told(brokeRules(error) ? 'connection-cut' : 'connection-lost', error),
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
        if (error !== null) reject(new SluiceError('SLUICE_LISTEN', error.message, { where: address, cause: error }));
        else resolve(bound);
      });
    });
    if (path !== null) {
      // In most pods, Envoy runs as another user of the same group.
      chmodSync(path, 0o770);
      this.#socket = path;
    }
    this.#setHealth('SERVING');
    return path === null ? address.replace(/:\d+$/, `:${port}`) : address;
  }

  async drain(graceMs: number): Promise<void> {
    this.#setHealth('NOT_SERVING');
    const begun = performance.now();
    // Each of Envoy's threads opens its log stream with its first entry, and could not on a connection that is drained.
    while (this.#services?.awaitsLog() === true && this.#logs.size === 0 && performance.now() - begun < graceMs / 2) await sleep(lookMs);
    // Envoy's log streams never end by themselves: they are ended when no open call can produce entries.
    const told = setInterval(() => {
      if (this.#calls > 0 || this.#services?.awaitsLog() === true) return;
      for (const end of this.#logs) end();
    }, lookMs);
    await new Promise<void>((resolve) => {
      const cut = setTimeout(
        () => {
          this.#forced = true;
          this.#server.forceShutdown();
          resolve();
        },
        Math.max(0, graceMs - (performance.now() - begun)),
      );
      this.#server.tryShutdown(() => {
        clearTimeout(cut);
        resolve();
      });
    });
    clearInterval(told);
    this.#peers.close();
    if (this.#socket !== null) rmSync(this.#socket, { force: true });
  }

  #setHealth(value: 'SERVING' | 'NOT_SERVING'): void {
    this.#health.setStatus('', value);
    this.#health.setStatus(processorName, value);
  }

  #accessLog(call: AccessLogCall, services: Services, done: () => void): void {
    call.on('data', (bytes: Buffer) => {
      try {
        for (const entry of decodeAccessLog(bytes)) services.logged(entry);
      } catch (error) {
        services.told('decode-error', error);
        call.destroy();
      }
    });
    const end = (): void => {
      if (this.#logs.delete(end)) done();
    };
    this.#logs.add(end);
    call.on('error', () => this.#logs.delete(end));
    call.on('end', end);
  }

  #process(call: Call, services: Services): void {
    new ProcessCall(call, services, this.#memory, (by) => (this.#calls += by));
  }
}

/** Whether a connection failed by an HTTP/2 error, not a socket error. */
function brokeRules(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_HTTP2');
}
