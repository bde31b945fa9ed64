import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export type Value = { readonly value?: 'string_value' | 'bool_value' | 'int_value' | 'double_value' | 'array_value' } & Record<
  string,
  unknown
>;
export interface KeyValue {
  readonly key: string;
  readonly value: Value;
}

interface ExportRequest {
  readonly resource_spans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] } | null;
    readonly scope_spans: readonly { readonly spans: readonly RawSpan[]; readonly schema_url: string }[];
  }[];
}

interface RawSpan {
  readonly trace_id: Buffer;
  readonly span_id: Buffer;
  readonly parent_span_id: Buffer;
  readonly name: string;
  readonly kind: number;
  readonly start_time_unix_nano: string;
  readonly end_time_unix_nano: string;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly { readonly name: string; readonly time_unix_nano: string }[];
  readonly status: { readonly code: number; readonly message: string } | null;
}

/** A span as a collector got it. Ids are hex, times nanoseconds since the epoch. */
export interface ReceivedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string;
  readonly name: string;
  readonly kind: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  readonly failed: boolean;
  /** Of the conventions that its scope follows; empty: it names none. */
  readonly schemaUrl: string;
}

const definition = loadSync(fileURLToPath(new URL('./otlp-trace.proto', import.meta.url)), {
  keepCase: true,
  longs: String,
  oneofs: true,
  defaults: true,
});
const service = definition['opentelemetry.proto.collector.trace.v1.TraceService'] as ServiceDefinition;

/** A collector that keeps what it gets, over gRPC and over HTTP with protobuf bodies. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly #grpc = new Server();
  readonly #http: HttpServer = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url !== '/v1/traces' || request.headers['content-type'] !== 'application/x-protobuf') {
        response.writeHead(415).end();
        return;
      }
      this.#take(service['Export']!.requestDeserialize(Buffer.concat(chunks)) as ExportRequest);
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });

  /** URLs for OTEL_EXPORTER_OTLP_ENDPOINT. */
  async listen(): Promise<{ readonly grpc: string; readonly http: string }> {
    this.#grpc.addService(service, {
      Export: (call: ServerUnaryCall<ExportRequest, object>, done: sendUnaryData<object>) => {
        this.#take(call.request);
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

  #take(request: ExportRequest): void {
    for (const { resource, scope_spans } of request.resource_spans) {
      const from = plain(resource?.attributes ?? [])['service.name'] as string;
      for (const { span, schemaUrl } of scope_spans.flatMap(({ spans, schema_url }) =>
        spans.map((each) => ({ span: each, schemaUrl: schema_url })),
      )) {
        this.spans.push({
          service: from,
          traceId: span.trace_id.toString('hex'),
          id: span.span_id.toString('hex'),
          parentId: span.parent_span_id.toString('hex'),
          name: span.name,
          kind: span.kind,
          start: BigInt(span.start_time_unix_nano),
          end: BigInt(span.end_time_unix_nano),
          attributes: plain(span.attributes),
          events: span.events.map(({ name }) => name),
          failed: span.status?.code === 2,
          schemaUrl,
        });
      }
    }
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
