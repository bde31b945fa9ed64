import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export type Value = { readonly value?: 'string_value' | 'bool_value' | 'int_value' | 'double_value' | 'array_value' } & Record<
  string,
  unknown
>;
export interface KeyValue {
  readonly key: string;
  readonly value: Value;
}

/** What is exported to a collector. */
export interface Signal {
  /** The file of its service, beside this one. */
  readonly proto: string;
  readonly service: string;
  /** Path over HTTP. */
  readonly path: string;
}

/** A collector of one signal, over gRPC and over HTTP with protobuf bodies. */
export abstract class OtlpCollector<Request> {
  /** Refuses what it gets, and says that trying again is of no use. */
  refuses = false;
  readonly #service: ServiceDefinition;
  readonly #grpc = new Server();
  readonly #http: HttpServer;

  constructor({ proto, service, path }: Signal) {
    const definition = loadSync(fileURLToPath(new URL(proto, import.meta.url)), {
      keepCase: true,
      longs: String,
      oneofs: true,
      defaults: true,
    });
    this.#service = definition[service] as ServiceDefinition;
    this.#http = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const known = request.url === path && request.headers['content-type'] === 'application/x-protobuf';
        if (this.refuses || !known) {
          response.writeHead(known ? 400 : 415).end();
          return;
        }
        this.take(this.#service['Export']!.requestDeserialize(Buffer.concat(chunks)) as Request);
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      });
    });
  }

  /** Keeps what an export holds. */
  protected abstract take(request: Request): void;

  /** URLs for OTEL_EXPORTER_OTLP_ENDPOINT. */
  async listen(): Promise<{ readonly grpc: string; readonly http: string }> {
    this.#grpc.addService(this.#service, {
      Export: (call: ServerUnaryCall<Request, object>, done: sendUnaryData<object>) => {
        if (this.refuses) {
          done({ code: status.INVALID_ARGUMENT });
          return;
        }
        this.take(call.request);
        done(null, {});
      },
    });
    const port = await new Promise<number>((resolve, reject) =>
      this.#grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return { grpc: `http://127.0.0.1:${port}`, http: `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}` };
  }

  close(): void {
    this.#grpc.forceShutdown();
    this.#http.close();
    this.#http.closeAllConnections();
  }
}

export function plain(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(value: Value): unknown {
  if (value.value === undefined) return null;
  const inner = value[value.value];
  if (value.value === 'int_value') return Number(inner);
  return value.value === 'array_value' ? (inner as { readonly values: readonly Value[] }).values.map(valueOf) : inner;
}
