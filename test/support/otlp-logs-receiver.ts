import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { plain, type KeyValue, type Value } from './otlp-receiver.ts';

interface ExportRequest {
  readonly resource_logs: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] } | null;
    readonly scope_logs: readonly { readonly log_records: readonly RawLog[]; readonly schema_url: string }[];
  }[];
}

interface RawLog {
  readonly time_unix_nano: string;
  readonly observed_time_unix_nano: string;
  readonly severity_text: string;
  readonly event_name: string;
  readonly body: Value;
  readonly attributes: readonly KeyValue[];
  readonly trace_id: Buffer;
  readonly span_id: Buffer;
}

/** A log record as a collector got it. Ids are hex, times nanoseconds since the epoch. */
export interface ReceivedLog {
  readonly service: string;
  readonly event: string;
  readonly severity: string;
  readonly time: bigint;
  readonly observed: bigint;
  readonly body: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly traceId: string;
  readonly spanId: string;
  readonly schemaUrl: string;
}

const definition = loadSync(fileURLToPath(new URL('./otlp-logs.proto', import.meta.url)), {
  keepCase: true,
  longs: String,
  oneofs: true,
  defaults: true,
});
const service = definition['opentelemetry.proto.collector.logs.v1.LogsService'] as ServiceDefinition;

/** A collector that keeps the log records it gets, over gRPC and over HTTP with protobuf bodies. */
export class OtlpLogsReceiver {
  readonly logs: ReceivedLog[] = [];
  /** Refuses what it gets, and says that trying again is of no use. */
  refuses = false;
  readonly #grpc = new Server();
  readonly #http: HttpServer = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (this.refuses || request.url !== '/v1/logs' || request.headers['content-type'] !== 'application/x-protobuf') {
        response.writeHead(400).end();
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
        if (this.refuses) {
          done({ code: status.INVALID_ARGUMENT });
          return;
        }
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
    for (const { resource, scope_logs } of request.resource_logs)
      for (const { log_records, schema_url } of scope_logs)
        for (const log of log_records)
          this.logs.push({
            service: plain(resource?.attributes ?? [])['service.name'] as string,
            event: log.event_name,
            severity: log.severity_text,
            time: BigInt(log.time_unix_nano),
            observed: BigInt(log.observed_time_unix_nano),
            body: log.body['string_value'] as string,
            attributes: plain(log.attributes),
            traceId: log.trace_id.toString('hex'),
            spanId: log.span_id.toString('hex'),
            schemaUrl: schema_url,
          });
  }
}
