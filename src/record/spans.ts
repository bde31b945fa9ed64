import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type HrTime,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as HttpExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  TracerProvider,
  type IdGenerator,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import { limits } from '../lib/limits.ts';
import { genAiSchemaUrl } from './genai-names.ts';
import { otelResource } from './otel-resource.ts';
import { otlpProtocol, samplingRatio } from './otel-settings.ts';
import { attemptAttributes, attemptName, exchangeAttributes } from './span-attributes.ts';
import type { TraceFacts } from './trace.ts';
import type { ExchangeRecord, RecordSink } from './types.ts';

/** Spans since the start. */
export interface SpanCounts {
  readonly exported: number;
  /** Dropped because the collector rejected them or was too slow. */
  readonly dropped: number;
}

/**
 * Opens spans as configured in the environment. `endpointOf`: address of a provider in the current policy. Throws SluiceError
 * SLUICE_OTEL_SETTING.
 */
export function openSpans(
  env: NodeJS.ProcessEnv,
  version: string,
  endpointOf: (provider: string) => string | undefined,
): { readonly sink: SpanSink; readonly ratio: number } {
  return { ratio: samplingRatio(env), sink: new SpanSink(env, version, endpointOf) };
}

/** Counts the spans that the collector accepted and those that it did not. */
class CountingExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  exported = 0;
  failed = 0;

  constructor(inner: SpanExporter) {
    this.#inner = inner;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#inner.export(spans, (result) => {
      if (result.error === undefined) this.exported += spans.length;
      else this.failed += spans.length;
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
}

/** Returns ids that were chosen when the request arrived, so that the provider could be sent them. */
class PresetIds implements IdGenerator {
  traceId = '';
  spanId = '';

  generateTraceId(): string {
    return this.traceId;
  }

  generateSpanId(): string {
    return this.spanId;
  }
}

/** Builds spans from finished records alone, and sends them to an OTLP collector in batches. */
export class SpanSink implements RecordSink {
  readonly #exporter: CountingExporter;
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #ids = new PresetIds();
  readonly #withContent: boolean;
  readonly #endpointOf: (provider: string) => string | undefined;
  #ended = 0;
  #dropped = 0;

  /** Settings come from OpenTelemetry's variables in `env`; the exporters read most of them themselves. */
  constructor(env: NodeJS.ProcessEnv, version: string, endpointOf: (provider: string) => string | undefined) {
    this.#endpointOf = endpointOf;
    const protocol = otlpProtocol(env, 'TRACES');
    this.#exporter = new CountingExporter(protocol === 'grpc' ? new GrpcExporter() : new HttpExporter());
    this.#withContent = env['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT']?.toLowerCase() === 'true';
    this.#provider = new TracerProvider({
      // Sampling was decided when the request arrived.
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#ids,
      resource: otelResource(env, version),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter: this.#exporter,
          maxQueueSize: limits.spanQueue * 2,
          maxExportBatchSize: 512,
          scheduledDelayMillis: 1_000,
          exportTimeoutMillis: 10_000,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer('sluice', version, { schemaUrl: genAiSchemaUrl });
  }

  get counts(): SpanCounts {
    return { exported: this.#exporter.exported, dropped: this.#dropped + this.#exporter.failed };
  }

  record(record: ExchangeRecord): void {
    const { trace: facts } = record;
    if (facts?.sampled !== true) return;
    // The SDK's own queue drops silently; this bound is lower, and counts.
    if (this.#ended - this.#exporter.exported - this.#exporter.failed >= limits.spanQueue) {
      this.#dropped++;
      return;
    }
    const at = clockFrom(Date.parse(record.time));
    const parent = remote(facts, facts.parentId);
    const total = record.timing.totalMs ?? record.timing.overheadMs;
    const own = this.#start(facts, facts.spanId, 'sluice', parent, {
      startTime: at(0),
      kind: SpanKind.SERVER,
      attributes: exchangeAttributes(record),
    });
    const within = trace.setSpan(ROOT_CONTEXT, own);
    for (const step of facts.steps) {
      this.#start(facts, null, `sluice.${step.name}`, within, { startTime: at(step.startMs), kind: SpanKind.INTERNAL }).end(at(step.endMs));
      this.#ended++;
    }
    // Attempts are sequential: the first begins when Sluice is done, the last ends with the exchange.
    let begin = record.timing.overheadMs;
    record.attempts.forEach((attempt, index) => {
      const last = index === record.attempts.length - 1;
      const place = { endpoint: this.#endpointOf(attempt.target.provider), last, beganMs: begin, withContent: this.#withContent };
      // This id was sent to the provider.
      const span = this.#start(facts, facts.attemptIds[index] ?? null, attemptName(record, attempt), within, {
        startTime: at(begin),
        kind: SpanKind.CLIENT,
        attributes: attemptAttributes(record, attempt, place),
      });
      if (attempt.outcome !== 'complete') span.setStatus({ code: SpanStatusCode.ERROR, message: record.errorType ?? attempt.outcome });
      const end = last ? Math.max(begin, total) : begin + (attempt.ms ?? 0);
      span.end(at(end));
      begin = end;
      this.#ended++;
    });
    const { firstByteMs, firstTokenMs } = record.timing;
    if (record.stream && firstByteMs !== null && record.attempts.length > 0) {
      const stream = this.#start(facts, null, 'sluice.stream', within, { startTime: at(firstByteMs), kind: SpanKind.INTERNAL });
      if (firstTokenMs !== null) stream.addEvent('gen_ai.first_token', {}, at(firstTokenMs));
      stream.end(at(Math.max(firstByteMs, total)));
      this.#ended++;
    }
    if (record.outcome === 'provider-error' || record.outcome === 'cut')
      own.setStatus({ code: SpanStatusCode.ERROR, message: record.errorType ?? record.outcome });
    own.end(at(total));
    this.#ended++;
  }

  /** Sends waiting spans, for at most the duration of one export. */
  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined);
  }

  /** `id`: the span's id; null for any. */
  #start({ traceId }: TraceFacts, id: string | null, name: string, parent: Context, options: SpanOptions): ReturnType<Tracer['startSpan']> {
    this.#ids.traceId = traceId;
    this.#ids.spanId = id ?? freshId();
    return this.#tracer.startSpan(name, options, parent);
  }
}

/** A context with the caller's span as parent; the root context if there is none. */
function remote(facts: TraceFacts, parentId: string | null): Context {
  if (parentId === null) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId: facts.traceId, spanId: parentId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
}

/** Converts times in ms after a moment (ms since the epoch) to the SDK's format, seconds and nanoseconds. */
function clockFrom(wall: number): (ms: number) => HrTime {
  return (ms) => {
    const seconds = Math.floor((wall + ms) / 1000);
    return [seconds, Math.round((wall - seconds * 1000 + ms) * 1e6)];
  };
}

function freshId(): string {
  return Array.from({ length: 4 }, () =>
    Math.floor(Math.random() * 0x1_0000)
      .toString(16)
      .padStart(4, '0'),
  ).join('');
}
