import type { MetricSpecs } from './spec.ts';

/** Buckets from the conventions. */
const operationSeconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const tokens = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];
const labels = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model'] as const;

/** Of OpenTelemetry's conventions for generative AI. */
export const genaiSpecs = {
  genAiInferenceDuration: {
    name: 'gen_ai_client_inference_duration_seconds',
    type: 'histogram',
    labels: [...labels, 'error_type'],
    help: "OpenTelemetry's `gen_ai.client.inference.duration`: one call to a provider for a generated answer. `error_type` is its outcome where that is not complete, else empty.",
    buckets: operationSeconds,
  },
  genAiEmbeddingsDuration: {
    name: 'gen_ai_client_embeddings_duration_seconds',
    type: 'histogram',
    labels: [...labels, 'error_type'],
    help: "OpenTelemetry's `gen_ai.client.embeddings.duration`: the same for embeddings.",
    buckets: operationSeconds,
  },
  genAiOperationDuration: {
    name: 'gen_ai_client_operation_duration_seconds',
    type: 'histogram',
    labels: [...labels, 'error_type'],
    help: "OpenTelemetry's `gen_ai.client.operation.duration`: the same for all other calls, such as those that count tokens.",
    buckets: operationSeconds,
  },
  genAiFirstChunk: {
    name: 'gen_ai_client_inference_time_to_first_chunk_seconds',
    type: 'histogram',
    labels,
    help: "OpenTelemetry's `gen_ai.client.inference.time_to_first_chunk`, of streams.",
    buckets: operationSeconds,
  },
  genAiInputTokens: {
    name: 'gen_ai_client_inference_operation_input_tokens',
    type: 'histogram',
    labels,
    help: "OpenTelemetry's `gen_ai.client.inference.operation.input_tokens`: tokens of one exchange's prompt, cached ones included.",
    buckets: tokens,
  },
  genAiOutputTokens: {
    name: 'gen_ai_client_inference_operation_output_tokens',
    type: 'histogram',
    labels,
    help: "OpenTelemetry's `gen_ai.client.inference.operation.output_tokens`: tokens of one exchange's answer, reasoning included.",
    buckets: tokens,
  },
  genAiEmbeddingsTokens: {
    name: 'gen_ai_client_embeddings_operation_input_tokens',
    type: 'histogram',
    labels,
    help: "OpenTelemetry's `gen_ai.client.embeddings.operation.input_tokens`: tokens of what one exchange embedded.",
    buckets: tokens,
  },
} as const satisfies MetricSpecs;
