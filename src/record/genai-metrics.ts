import { Histogram, Registry } from 'prom-client';
import { distributionOf, type Distribution } from './distribution.ts';
import { operationOf, providerNameOf } from './genai-names.ts';
import type { MetricSpec } from './metric-specs/spec.ts';
import { metricTable } from './metric-table.ts';
import type { ExchangeRecord } from './types.ts';

type Labels = Readonly<Record<string, string>>;
type Exemplar = Readonly<Record<string, string>>;

/** Label values of one attempt, from bounded lists. */
export interface AttemptLabels {
  readonly provider: string;
  readonly model: string;
}

/** OpenTelemetry's metrics for generative AI under their Prometheus names, with exemplars of sampled traces. */
export class GenAiMetrics {
  readonly #durations: Readonly<Record<'inference' | 'embeddings' | 'other', Histogram>>;
  readonly #firstChunk: Histogram;
  readonly #inputTokens: Histogram;
  readonly #outputTokens: Histogram;
  readonly #embeddingsTokens: Histogram;
  /** Series by metric and label values: prom-client would check and join the labels each time. */
  readonly #series = new Map<Histogram, Map<string, Map<string, Map<string, Map<string, Distribution>>>>>();

  constructor(registry: Registry) {
    // prom-client only supports exemplars in OpenMetrics registries; `registry` serves both formats.
    const made = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    made.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const histogram = ({ name, help, labels, buckets = [] }: MetricSpec): Histogram => {
      const metric = new Histogram({
        name,
        help,
        labelNames: [...labels],
        buckets: [...buckets],
        enableExemplars: true,
        registers: [made],
      });
      registry.registerMetric(metric);
      return metric;
    };
    this.#durations = {
      inference: histogram(metricTable.genAiInferenceDuration),
      embeddings: histogram(metricTable.genAiEmbeddingsDuration),
      other: histogram(metricTable.genAiOperationDuration),
    };
    this.#firstChunk = histogram(metricTable.genAiFirstChunk);
    this.#inputTokens = histogram(metricTable.genAiInputTokens);
    this.#outputTokens = histogram(metricTable.genAiOutputTokens);
    this.#embeddingsTokens = histogram(metricTable.genAiEmbeddingsTokens);
  }

  /** `labelsOf` bounds the label values of an attempt's target. */
  record(record: ExchangeRecord, labelsOf: (record: ExchangeRecord, attempt: number) => AttemptLabels): void {
    const { attempts, trace, usage, timing } = record;
    const operation = operationOf(record);
    const kind = record.operation === 'generate' ? 'inference' : record.operation === 'embed' ? 'embeddings' : 'other';
    const last = attempts.length - 1;
    for (let at = 0; at <= last; at++) {
      const attempt = attempts[at]!;
      const labels = labelsOf(record, at);
      const exemplar = trace?.sampled === true ? { trace_id: trace.traceId, span_id: trace.attemptIds[at] ?? trace.spanId } : null;
      if (attempt.ms !== null)
        this.#observe(
          this.#durations[kind],
          operation,
          labels,
          'error_type',
          attempt.outcome === 'complete' ? '' : attempt.outcome,
          attempt.ms / 1000,
          exemplar,
        );
      if (at < last) continue;
      if (timing.firstTokenMs !== null) this.#observe(this.#firstChunk, operation, labels, null, '', timing.firstTokenMs / 1000, exemplar);
      if (usage === null || kind === 'other') continue;
      const input = kind === 'embeddings' ? this.#embeddingsTokens : this.#inputTokens;
      this.#observe(input, operation, labels, null, '', usage.totalInput, exemplar);
      if (kind === 'inference') this.#observe(this.#outputTokens, operation, labels, null, '', usage.totalOutput, exemplar);
    }
  }

  /** `own`: the label that only this metric has; null if it has none. */
  #observe(
    metric: Histogram,
    operation: string,
    { provider, model }: AttemptLabels,
    own: string | null,
    value: string,
    observed: number,
    exemplar: Exemplar | null,
  ): void {
    if (exemplar !== null) {
      metric.observe({ labels: labelsOf(operation, provider, model, own, value), value: observed, exemplarLabels: exemplar });
      return;
    }
    const series = inner(inner(inner(inner(this.#series, metric), operation), provider), model);
    let child = series.get(value);
    if (child === undefined) series.set(value, (child = distributionOf(metric, labelsOf(operation, provider, model, own, value))));
    child.observe(observed);
  }
}

function inner<K, V>(map: Map<K, Map<string, V>>, key: K): Map<string, V> {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = new Map<string, V>()));
  return found;
}

function labelsOf(operation: string, provider: string, model: string, own: string | null, value: string): Labels {
  return {
    gen_ai_operation_name: operation,
    gen_ai_provider_name: providerNameOf(provider),
    gen_ai_request_model: model,
    ...(own === null ? {} : { [own]: value }),
  };
}
