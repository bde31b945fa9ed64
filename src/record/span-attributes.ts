import type { Attributes } from '@opentelemetry/api';
import { operationOf, providerNameOf } from './genai-names.ts';
import type { AttemptRecord, ExchangeRecord } from './types.ts';

/** Sluice's decision and its cost; names are under `sluice.` where OpenTelemetry has none. Unknown facts have no attribute. */
export function exchangeAttributes(record: ExchangeRecord): Attributes {
  const { decision, verdict, cost, baseline, savings } = record;
  return defined({
    'gen_ai.operation.name': operationOf(record),
    'sluice.decision.id': record.id,
    'sluice.kind': record.kind,
    'sluice.workspace': record.workspace,
    'sluice.requested.provider': record.provider,
    'sluice.requested.model': record.requestedModel,
    'sluice.served.model': record.servedModel,
    'sluice.outcome': record.outcome,
    'sluice.pass.reason': record.passReason,
    'sluice.policy.hash': record.policy.hash,
    'sluice.policy.generation': record.policy.number,
    'sluice.policy.section': record.section,
    'sluice.catalog.version': record.catalogVersion,
    'sluice.cache': record.cache,
    'sluice.experiment.arm': record.arm,
    'sluice.tier': decision?.tier,
    'sluice.action': decision?.action,
    'sluice.reason': decision?.reason,
    'sluice.rule': decision?.rule,
    'sluice.chain': decision?.chain.map(({ provider, model }) => `${provider}/${model}`),
    'sluice.score': verdict?.score,
    'sluice.confidence': verdict?.confidence,
    'sluice.task': verdict?.task,
    'sluice.signals': verdict?.signals.map(({ name, share }) => `${name}=${share.toFixed(3)}`),
    'sluice.attempts': record.attempts.length,
    'sluice.overhead_ms': record.timing.overheadMs,
    'sluice.cost.usd': cost.known ? cost.usd : null,
    'sluice.cost.unknown': cost.known ? null : cost.reason,
    'sluice.baseline.usd': baseline.known ? baseline.usd : null,
    'sluice.savings.usd': savings.known ? savings.usd : null,
  });
}

/** Low cardinality, as the convention requires: the operation and the model. */
export function attemptName(record: ExchangeRecord, { target }: AttemptRecord): string {
  return `${operationOf(record)} ${target.model}`;
}

/** Where a span's call went, and its place in the exchange. */
export interface AttemptPlace {
  /** scheme://host[:port] of the provider; undefined if it is no longer in the policy. */
  readonly endpoint: string | undefined;
  /** The attempt whose answer the caller received: usage and content belong to it. */
  readonly last: boolean;
  /** Milliseconds from the request's headers to this attempt. */
  readonly beganMs: number;
  /** Whether content may be exported. */
  readonly withContent: boolean;
}

/** One call to a provider, following OpenTelemetry's conventions for the span `gen_ai.client.inference`. */
export function attemptAttributes(record: ExchangeRecord, attempt: AttemptRecord, place: AttemptPlace): Attributes {
  const { provider, model } = attempt.target;
  return defined({
    'gen_ai.operation.name': operationOf(record),
    'gen_ai.provider.name': providerNameOf(provider),
    'gen_ai.request.model': model,
    ...serverAttributes(place.endpoint),
    ...requestAttributes(record),
    'http.response.status_code': attempt.status,
    'sluice.outcome': attempt.outcome,
    ...(attempt.outcome === 'complete'
      ? {}
      : {
          'error.type': record.errorType ?? (attempt.status !== null && attempt.status >= 400 ? String(attempt.status) : attempt.outcome),
        }),
    ...(place.last ? answerAttributes(record, attempt, place) : {}),
  });
}

function serverAttributes(endpoint: string | undefined): Values {
  const url = endpoint === undefined ? null : URL.parse(endpoint);
  if (url === null) return {};
  return {
    'server.address': url.hostname.replace(/^\[|\]$/g, ''),
    'server.port': url.port === '' ? (url.protocol === 'http:' ? 80 : 443) : Number(url.port),
  };
}

/** Request settings by their names in each API, with the convention's names. */
const settings: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  top_p: 'top_p',
  topP: 'top_p',
  p: 'top_p',
  top_k: 'top_k',
  topK: 'top_k',
  k: 'top_k',
  seed: 'seed',
  frequency_penalty: 'frequency_penalty',
  frequencyPenalty: 'frequency_penalty',
  presence_penalty: 'presence_penalty',
  presencePenalty: 'presence_penalty',
};

/** The app's request settings. Settings left to the model have no attribute. */
function requestAttributes({ stream, trace, request: { asks } }: ExchangeRecord): Values {
  const set: Values = {
    'gen_ai.conversation.id': trace?.conversation,
    // The convention defines it for streams only.
    'gen_ai.request.stream': stream ? true : null,
    'gen_ai.output.type': asks?.audioOutput === true ? 'speech' : (asks?.jsonOutput ?? 'none') === 'none' ? null : 'json',
    'gen_ai.request.max_tokens': asks?.maxOutputTokens,
    'gen_ai.request.choice.count': asks == null || asks.answers === 1 ? null : asks.answers,
    'gen_ai.request.reasoning.level': asks?.reasoning,
  };
  for (const [name, value] of asks?.parameters ?? []) {
    const setting = settings[name];
    if (setting !== undefined && typeof value === 'number') set[`gen_ai.request.${setting}`] = value;
  }
  return set;
}

function answerAttributes(record: ExchangeRecord, attempt: AttemptRecord, { beganMs, withContent }: AttemptPlace): Values {
  const { usage, timing, finishReason } = record;
  const cacheWrite = usage === null ? 0 : usage.cacheWrite5m + usage.cacheWrite1h;
  return {
    'gen_ai.response.id': record.responseId,
    'gen_ai.response.model': record.answeredModel,
    // In the convention, an expected finish reason that never arrived is `error`.
    'gen_ai.response.finish_reasons': finishReason !== null ? [finishReason] : attempt.outcome === 'cut' ? ['error'] : null,
    'gen_ai.response.time_to_first_chunk':
      record.stream && timing.firstTokenMs !== null ? Math.max(0, timing.firstTokenMs - beganMs) / 1000 : null,
    'gen_ai.usage.input_tokens': usage?.totalInput,
    'gen_ai.usage.output_tokens': usage?.totalOutput,
    'gen_ai.usage.cache_read.input_tokens': usage?.cachedRead,
    'gen_ai.usage.cache_write.input_tokens': cacheWrite > 0 ? cacheWrite : null,
    'gen_ai.usage.reasoning.output_tokens': (usage?.reasoning ?? 0) > 0 ? usage?.reasoning : null,
    'gen_ai.usage.audio.input_tokens': (usage?.audioInput ?? 0) > 0 ? usage?.audioInput : null,
    'gen_ai.usage.audio.output_tokens': (usage?.audioOutput ?? 0) > 0 ? usage?.audioOutput : null,
    'gen_ai.input.messages':
      withContent && record.request.promptStart !== null
        ? JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: record.request.promptStart }] }])
        : null,
  };
}

/** Attributes; some may be unknown. */
type Values = Record<string, string | number | boolean | readonly string[] | null | undefined>;

function defined(attributes: Readonly<Values>): Attributes {
  const kept: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) kept[name] = typeof value === 'object' ? [...value] : value;
  }
  return kept;
}
