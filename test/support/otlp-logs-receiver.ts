import { OtlpCollector, plain, type KeyValue, type Value } from './otlp-collector.ts';

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

/** A collector that keeps the log records it gets, over gRPC and over HTTP with protobuf bodies. */
export class OtlpLogsReceiver extends OtlpCollector<ExportRequest> {
  readonly logs: ReceivedLog[] = [];

  constructor() {
    super({ proto: './otlp-logs.proto', service: 'opentelemetry.proto.collector.logs.v1.LogsService', path: '/v1/logs' });
  }

  protected override take(request: ExportRequest): void {
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
