import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { conventionHistograms } from '../../test/support/genai-conventions.ts';
import { GenAiMetrics } from './genai-metrics.ts';
import type { MetricSpec } from './metric-specs/spec.ts';
import { metricTable } from './metric-table.ts';
import type { ExchangeRecord } from './types.ts';

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

it("has the histograms of OpenTelemetry's conventions, with their attributes and buckets", () => {
  const ours = (Object.values(metricTable) as MetricSpec[])
    .filter(({ name }) => name.startsWith('gen_ai_'))
    .map(({ name, labels, buckets }) => ({ name, labels: [...labels], buckets }));
  expect(ours.sort(byName)).toEqual(conventionHistograms().sort(byName));
});

it('counts each call under its own kind: an answer, embeddings, and what is neither', async () => {
  const registry = new Registry();
  const metrics = new GenAiMetrics(registry);
  const record = (operation: ExchangeRecord['operation']): void =>
    metrics.record(
      {
        operation,
        api: null,
        attempts: [{ ms: 500, outcome: 'complete' }],
        trace: null,
        usage: { totalInput: 40, totalOutput: 9 },
        timing: { firstTokenMs: operation === 'generate' ? 20 : null },
      } as unknown as ExchangeRecord,
      () => ({ provider: 'mistral', model: 'm' }),
    );
  record('generate');
  record('embed');
  record('embed');
  for (let count = 0; count < 3; count++) record('count');
  const text = await registry.metrics();
  const count = (metric: string, operation: string): number =>
    Number(
      new RegExp(`^${metric}_count\\{gen_ai_operation_name="${operation}",gen_ai_provider_name="mistral_ai",.*\\} (\\d+)$`, 'm').exec(
        text,
      )?.[1] ?? 0,
    );
  expect({
    answers: count('gen_ai_client_inference_duration_seconds', 'chat'),
    firstChunks: count('gen_ai_client_inference_time_to_first_chunk_seconds', 'chat'),
    input: count('gen_ai_client_inference_operation_input_tokens', 'chat'),
    output: count('gen_ai_client_inference_operation_output_tokens', 'chat'),
    embeddings: count('gen_ai_client_embeddings_duration_seconds', 'embeddings'),
    embedded: count('gen_ai_client_embeddings_operation_input_tokens', 'embeddings'),
    others: count('gen_ai_client_operation_duration_seconds', 'count_tokens'),
  }).toEqual({ answers: 1, firstChunks: 1, input: 1, output: 1, embeddings: 2, embedded: 2, others: 3 });
  expect(text).not.toMatch(/^gen_ai_client_inference.*(?:embeddings|count_tokens)/m);
});
