import { Histogram, Registry } from 'prom-client';
import { operationOf, providerNameOf } from './genai-names.ts';
import { metricTable, type MetricSpec } from './metric-table.ts';
import type { ExchangeRecord } from './types.ts';

type Labels = Readonly<Record<string, string>>;
type Exemplar = Readonly<Record<string, string>>;

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
  /** Series by metric and label values: prom-client would check and join the labels anew each time. */
  readonly #children = new Map<Histogram, Map<string, Histogram.Internal<string>>>();

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
      const exemplar = trace?.sampled === true ? { trace_id: trace.traceId, span_id: trace.attemptIds[index] ?? trace.spanId } : null;
      this.#observe(this.#duration, labels, 'error_type', attempt.outcome === 'complete' ? '' : attempt.outcome, attempt.ms / 1000, exemplar);
    });
    if (attempts.length === 0) return;
    const exemplar = trace?.sampled === true ? { trace_id: trace.traceId, span_id: trace.attemptIds[attempts.length - 1] ?? trace.spanId } : null;
    if (timing.firstTokenMs !== null) this.#observe(this.#firstChunk, labels, null, '', timing.firstTokenMs / 1000, exemplar);
    if (usage === null) return;
    this.#observe(this.#tokens, labels, 'gen_ai_token_type', 'input', usage.totalInput, exemplar);
    this.#observe(this.#tokens, labels, 'gen_ai_token_type', 'output', usage.totalOutput, exemplar);
  }

  /** `own`: the metric's own label, beside those that all have; null: it has none. */
  #observe(metric: Histogram, labels: Labels, own: string | null, value: string, observed: number, exemplar: Exemplar | null): void {
    if (exemplar !== null) {
      metric.observe({ labels: own === null ? labels : { ...labels, [own]: value }, value: observed, exemplarLabels: exemplar });
      return;
    }
    let children = this.#children.get(metric);
    if (children === undefined) this.#children.set(metric, (children = new Map<string, Histogram.Internal<string>>()));
    const key = `${labels['gen_ai_operation_name'] ?? ''} ${labels['gen_ai_provider_name'] ?? ''} ${labels['gen_ai_request_model'] ?? ''} ${value}`;
    let child = children.get(key);
    if (child === undefined) children.set(key, (child = metric.labels(own === null ? labels : { ...labels, [own]: value })));
    child.observe(observed);
  }
}
