import { context, SeverityNumber, trace, TraceFlags, type Attributes, type Logger } from '@opentelemetry/api';
import { OTLPLogExporter as GrpcExporter } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as HttpExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter, type ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { limits } from '../lib/limits.ts';
import { genAiSchemaUrl } from './genai-names.ts';
import { otelResource } from './otel-resource.ts';
import { otlpProtocol } from './otel-settings.ts';
import { recordJson } from './record-json.ts';
import { attemptAttributes, exchangeAttributes } from './span-attributes.ts';
import type { ExchangeRecord, RecordSink } from './types.ts';

/** Records since the start. */
export interface OtlpRecordCounts {
  readonly exported: number;
  /** Not taken by the collector, or more than may wait for it. */
  readonly dropped: number;
  readonly waiting: number;
}

/** Counts what the collector accepted and what it did not. */
class CountingExporter implements LogRecordExporter {
  readonly #inner: LogRecordExporter;
  readonly #ended: (record: ReadableLogRecord, taken: boolean) => void;

  constructor(inner: LogRecordExporter, ended: (record: ReadableLogRecord, taken: boolean) => void) {
    this.#inner = inner;
    this.#ended = ended;
  }

  export(records: ReadableLogRecord[], done: Parameters<LogRecordExporter['export']>[1]): void {
    this.#inner.export(records, (result) => {
      for (const record of records) this.#ended(record, result.error === undefined);
      done(result);
    });
  }

  forceFlush(): Promise<void> {
    return this.#inner.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
}

/**
 * Sends every record to an OTLP collector as a log record: its JSON is the body, and attributes have the facts that pipelines filter by,
 * under OpenTelemetry's names where it has any. The queue is bounded in records and in bytes; what does not fit is dropped and counted.
 */
export class OtlpRecords implements RecordSink {
  readonly #provider: LoggerProvider;
  readonly #logger: Logger;
  #exported = 0;
  #dropped = 0;
  #waiting = 0;
  #waitingBytes = 0;

  /** Settings come from OpenTelemetry's variables in `env`. Throws SluiceError SLUICE_OTEL_SETTING. */
  constructor(env: NodeJS.ProcessEnv, version: string) {
    const exporter = new CountingExporter(
      otlpProtocol(env, 'LOGS') === 'grpc' ? new GrpcExporter() : new HttpExporter(),
      ({ body }, taken) => {
        this.#waiting--;
        this.#waitingBytes -= typeof body === 'string' ? body.length : 0;
        if (taken) this.#exported++;
        else this.#dropped++;
      },
    );
    this.#provider = new LoggerProvider({
      resource: otelResource(env, version),
      // One record is whole or not there at all.
      logRecordLimits: { attributeCountLimit: 256 },
      processors: [
        new BatchLogRecordProcessor({
          exporter,
          maxQueueSize: limits.otlpRecords * 2,
          maxExportBatchSize: 256,
          scheduledDelayMillis: 1_000,
          exportTimeoutMillis: 10_000,
        }),
      ],
    });
    this.#logger = this.#provider.getLogger('sluice', version, { schemaUrl: genAiSchemaUrl });
  }

  get counts(): OtlpRecordCounts {
    return { exported: this.#exported, dropped: this.#dropped, waiting: this.#waiting };
  }

  record(record: ExchangeRecord): void {
    const body = recordJson(record).toString();
    // The SDK's own queue drops silently; these bounds are lower, and count.
    if (this.#waiting >= limits.otlpRecords || this.#waitingBytes + body.length > limits.otlpRecordBytes) {
      this.#dropped++;
      return;
    }
    this.#waiting++;
    this.#waitingBytes += body.length;
    const began = Date.parse(record.time);
    const failed = record.outcome === 'provider-error' || record.outcome === 'cut';
    this.#logger.emit({
      eventName: 'sluice.exchange',
      timestamp: began,
      observedTimestamp: began + (record.timing.totalMs ?? record.timing.overheadMs),
      severityNumber: failed ? SeverityNumber.WARN : SeverityNumber.INFO,
      severityText: failed ? 'WARN' : 'INFO',
      body,
      attributes: recordAttributes(record),
      ...contextOf(record),
    });
  }

  /** Sends waiting records, for at most the duration of one export. */
  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined);
  }
}

/** Those of the exchange, and of the attempt whose answer the caller received. */
function recordAttributes(record: ExchangeRecord): Attributes {
  const last = record.attempts.at(-1);
  const answered =
    last === undefined ? {} : attemptAttributes(record, last, { endpoint: undefined, last: true, beganMs: 0, withContent: false });
  return { ...answered, ...exchangeAttributes(record) };
}

/** The span of the exchange, so that a collector leads from one to the other. */
function contextOf({ trace: facts }: ExchangeRecord): { context?: ReturnType<typeof context.active> } {
  if (facts === null || facts === undefined) return {};
  const traceFlags = facts.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return { context: trace.setSpanContext(context.active(), { traceId: facts.traceId, spanId: facts.spanId, traceFlags }) };
}
