import type { Attributes } from '@opentelemetry/api';
import { operationOf, providerNameOf } from './genai-names.ts';
import type { AttemptRecord, ExchangeRecord } from './types.ts';

/** What Sluice decided, and what it cost: under `sluice.` where OpenTelemetry has no name. Unknown facts have no attribute. */
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

/** Low in cardinality, as the convention asks: the operation and the model. */
export function attemptName(record: ExchangeRecord, { target }: AttemptRecord): string {
  return `${operationOf(record)} ${target.model}`;
}

/** One call to a provider. Usage and content belong to the attempt whose answer the caller got, the `last`. */
export function attemptAttributes(record: ExchangeRecord, attempt: AttemptRecord, last: boolean, withContent: boolean): Attributes {
  const { usage } = record;
  const { provider, model } = attempt.target;
  return defined({
    'gen_ai.operation.name': operationOf(record),
    'gen_ai.provider.name': providerNameOf(provider),
    'gen_ai.request.model': model,
    'http.response.status_code': attempt.status,
    'sluice.outcome': attempt.outcome,
    ...(attempt.outcome === 'complete'
      ? {}
      : {
          'error.type': record.errorType ?? (attempt.status !== null && attempt.status >= 400 ? String(attempt.status) : attempt.outcome),
        }),
    ...(last
      ? {
          'gen_ai.response.model': record.answeredModel,
          'gen_ai.response.finish_reasons': record.finishReason === null ? null : [record.finishReason],
          'gen_ai.usage.input_tokens': usage?.totalInput,
          'gen_ai.usage.output_tokens': usage?.totalOutput,
          'gen_ai.usage.cache_read.input_tokens': usage?.cachedRead,
          'gen_ai.input.messages':
            withContent && record.request.promptStart !== null
              ? JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: record.request.promptStart }] }])
              : null,
        }
      : {}),
  });
}

function defined(attributes: Readonly<Record<string, string | number | readonly string[] | null | undefined>>): Attributes {
  const kept: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) kept[name] = typeof value === 'object' ? [...value] : value;
  }
  return kept;
}
