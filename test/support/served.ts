import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientWritableStream } from '@grpc/grpc-js';
import { afterEach, beforeEach } from 'vitest';
import fc from 'fast-check';
import { encodeAccessLog, encodeRequest, headerMap, ScriptedEnvoy, struct, type Message } from './ext-proc.ts';
import { GrpcTransport } from '../../src/extproc/grpc-transport.ts';
import { FramesTransport } from '../../src/extproc/frames-transport.ts';
import { socketPath } from '../../src/extproc/socket.ts';
import type { ProtocolEvent, TellEvent } from '../../src/extproc/events.ts';
import { RequestStream } from '../../src/extproc/request-stream.ts';
import type { Later } from '../../src/lib/later.ts';
import type { LoggedExchange, BodyPlan, Gateway, RequestPlan, ResponsePlan } from '../../src/exchange/plans.ts';
import type { Transport } from '../../src/extproc/types.ts';

/** A raw connection to `unix:/path` or `host:port`. */
export function connectTo(address: string): Socket {
  const path = socketPath(address);
  return path === null ? connect(Number(address.split(':')[1]), '127.0.0.1') : connect(path);
}

/** A gateway that notes what it is told. */
export class NotingGateway implements Gateway {
  readonly notes: string[] = [];
  request: RequestPlan | null = null;
  bodyPlan: BodyPlan | Later<BodyPlan> = { kind: 'forward', body: Buffer.from('changed'), metadata: { id: 'x' } };
  fails = false;

  requestHeaders(): RequestPlan {
    this.notes.push('request');
    if (this.fails) throw new Error('a bug');
    return (
      this.request ?? {
        kind: 'read-body',
        handler: {
          take: (body) => {
            this.notes.push(`body ${body.length}`);
            return this.bodyPlan;
          },
          aborted: () => this.notes.push('aborted'),
          unseen: () => () => this.notes.push('unseen'),
        },
      }
    );
  }

  logged({ id }: LoggedExchange): void {
    this.notes.push(`logged ${id}`);
  }

  responseHeaders(_headers: unknown, metadata: Readonly<Record<string, unknown>> | null): ResponsePlan {
    this.notes.push(`response ${String(metadata?.['id'])}`);
    if (metadata === null) return { kind: 'ignore' };
    return {
      kind: 'read',
      observer: {
        chunk: (bytes) => this.notes.push(`chunk ${bytes.toString()}`),
        end: (whole, cancelled) => this.notes.push(`end whole=${whole} cancelled=${cancelled}`),
      },
    };
  }
}

/** Envoy's stream of access logs. `over`: called when Sluice has ended it. */
export function logCall(client: Client, over: (end: unknown) => void): ClientWritableStream<Buffer> {
  const bytes = (message: Buffer): Buffer => message;
  return client.makeClientStreamRequest('/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs', bytes, bytes, over);
}

/** A log of one exchange. */
export const logOf = (id: string): Buffer =>
  encodeAccessLog([{ common_properties: { metadata: { filter_metadata: { sluice: struct({ id }) } } } }]);

export const metadata_context = { filter_metadata: { sluice: struct({ id: 'x' }) } };
/** A message of each phase. */
export const phases: Readonly<Record<string, Message>> = {
  requestHeaders: { request_headers: { headers: headerMap({ ':path': '/v1' }) } },
  requestBody: { request_body: { body: Buffer.from('{}'), end_of_stream: true } },
  requestTrailers: { request_trailers: {} },
  responseHeaders: { response_headers: { headers: headerMap({ ':status': '200' }) }, metadata_context },
  responseBody: { response_body: { body: Buffer.from('a'), end_of_stream: false } },
  responseTrailers: { response_trailers: {} },
};

/** Any of them, as bytes. */
export const encodedPhase = fc.constantFrom(...Object.values(phases)).map((phase) => encodeRequest(phase));

/** Each transport on each kind of address. */
export const transports = [
  { title: 'grpc on a Unix socket', Kind: GrpcTransport, tcp: false },
  { title: 'grpc on TCP', Kind: GrpcTransport, tcp: true },
  { title: 'frames on a Unix socket', Kind: FramesTransport, tcp: false },
  { title: 'frames on TCP', Kind: FramesTransport, tcp: true },
] as const;

/** A transport with a gateway that notes, and an Envoy that calls it; new for each test. */
export interface Served {
  folder: string;
  gateway: NotingGateway;
  events: ProtocolEvent[];
  /** What was behind them. */
  errors: unknown[];
  /** Entries of the access log that are expected. */
  awaited: number;
  /** Which Envoys asked, and which are gone. */
  peers: string[];
  transport: Transport;
  address: string;
  envoy: ScriptedEnvoy;
}

/** Serves in each test of a suite. */
export function servedBy({ Kind, tcp }: (typeof transports)[number]): Served {
  const served = {} as Served;
  beforeEach(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
    const gateway = new NotingGateway();
    const transport = new Kind();
    Object.assign(served, { folder, gateway, transport, events: [], errors: [], awaited: 0, peers: [] });
    const told: TellEvent = (event, error) => {
      served.events.push(event);
      if (error !== undefined) served.errors.push(error);
    };
    served.address = await transport.listen(tcp ? '127.0.0.1:0' : `unix:${join(folder, 's.sock')}`, {
      process: (stream, _role, _traceparent, peer) => {
        served.peers.push(peer);
        return new RequestStream(stream, gateway, told);
      },
      gone: (peer) => served.peers.push(`${peer} gone`),
      logged: (entry) => gateway.logged(entry),
      awaitsLog: () => served.awaited > gateway.notes.length,
      told,
    });
    served.envoy = new ScriptedEnvoy(served.address);
  });
  afterEach(async () => {
    served.envoy.close();
    await served.transport.drain(0);
    rmSync(served.folder, { recursive: true, force: true });
  });
  return served;
}
