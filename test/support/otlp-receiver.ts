import { OtlpCollector, plain, type KeyValue } from './otlp-collector.ts';

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

/** A collector that keeps what it gets, over gRPC and over HTTP with protobuf bodies. */
export class OtlpReceiver extends OtlpCollector<ExportRequest> {
  readonly spans: ReceivedSpan[] = [];

  constructor() {
    super({ proto: './otlp-trace.proto', service: 'opentelemetry.proto.collector.trace.v1.TraceService', path: '/v1/traces' });
  }

  protected override take(request: ExportRequest): void {
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
