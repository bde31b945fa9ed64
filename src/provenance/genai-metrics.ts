import { Histogram, Registry } from 'prom-client';
import { operationOf, providerNameOf } from './genai-names.ts';
import { metricTable, type MetricSpec } from './metric-table.ts';
import type { ExchangeRecord } from './types.ts';

type Labels = Readonly<Record<string, string>>;

/** Label values of one attempt, from closed lists. */
export interface AttemptLabels {
  readonly provider: string;
  readonly model: string;
}

/** OpenTelemetry's metrics for generative AI under the names that Prometheus gives them, with exemplars of sampled traces. */
export class GenAiMetrics {
  readonly #duration: Histogram;
  readonly #firstChunk: Histogram;
  readonly #tokens: Histogram;

  constructor(registry: Registry) {
    // prom-client makes exemplars in registries of that format only; registry serves both.
    const made = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    made.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const histogram = ({ name, help, labels, buckets = [] }: MetricSpec): Histogram => {
      const metric = new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], enableExemplars: true, registers: [made] });
      registry.registerMetric(metric);
      return metric;
    };
    this.#duration = histogram(metricTable.genAiDuration);
    this.#firstChunk = histogram(metricTable.genAiFirstChunk);
    this.#tokens = histogram(metricTable.genAiTokens);
  }

  /** `labelsOf` bounds what an attempt's target is called. */
  record(record: ExchangeRecord, labelsOf: (attempt: number) => AttemptLabels): void {
    const { attempts, trace, usage, timing } = record;
    const operation = operationOf(record);
    let labels: Labels = {};
    attempts.forEach((attempt, index) => {
      const { provider, model } = labelsOf(index);
      labels = { gen_ai_operation_name: operation, gen_ai_provider_name: providerNameOf(provider), gen_ai_request_model: model };
      if (attempt.ms === null) return;
      const exemplarLabels = trace?.sampled === true ? { trace_id: trace.traceId, span_id: trace.attemptIds[index] ?? trace.spanId } : {};
      this.#duration.observe({ labels: { ...labels, error_type: attempt.outcome === 'complete' ? '' : attempt.outcome }, value: attempt.ms / 1000, exemplarLabels });
    });
    if (attempts.length === 0) return;
    const exemplarLabels = trace?.sampled === true ? { trace_id: trace.traceId, span_id: trace.attemptIds[attempts.length - 1] ?? trace.spanId } : {};
    if (timing.firstTokenMs !== null) this.#firstChunk.observe({ labels, value: timing.firstTokenMs / 1000, exemplarLabels });
    if (usage === null) return;
    this.#tokens.observe({ labels: { ...labels, gen_ai_token_type: 'input' }, value: usage.totalInput, exemplarLabels });
    this.#tokens.observe({ labels: { ...labels, gen_ai_token_type: 'output' }, value: usage.totalOutput, exemplarLabels });
  }
}
