import type { Cost } from '../../src/catalog/types.ts';
import type { ExchangeRecord } from '../../src/record/types.ts';
import { sample } from './ledger.ts';

const dayMs = 86_400_000;
const first = Date.parse('2026-10-01T00:00:00Z');
const last = Date.parse('2026-11-01T00:00:00Z');
const usd = (amount: number): Cost => ({ known: true, usd: amount });
const unknown = (reason: 'usage' | 'model'): Cost => ({ known: false, reason });

type Money = Pick<ExchangeRecord, 'cost' | 'baseline' | 'savings'>;

/** Cost and baseline of one exchange; null if unknown. */
function money(cost: number | null, baseline: number | null, reason: 'usage' | 'model' = 'usage'): Money {
  return {
    cost: cost === null ? unknown(reason) : usd(cost),
    baseline: baseline === null ? unknown(reason) : usd(baseline),
    savings: cost === null || baseline === null ? unknown(reason) : usd(baseline - cost),
  };
}

/** Exchanges of every kind that finance asks about, and how many a day. */
const kinds: readonly (readonly [perDay: number, workspace: string, facts: Partial<ExchangeRecord>])[] = [
  // Moved to a cheaper model.
  [6, 'search', { requestedModel: 'gpt-5.1', servedModel: 'gpt-5-nano', ...money(0.0123, 0.2461) }],
  [3, 'support', { requestedModel: 'gpt-5.1', servedModel: 'gpt-5-mini', ...money(0.0487, 0.2435) }],
  // Kept.
  [2, 'research', { requestedModel: 'gpt-5.1', servedModel: 'gpt-5.1', ...money(0.8127, 0.8127) }],
  // Moved to a dearer model, by a rule of its own: savings are negative.
  [1, 'research', { requestedModel: 'gpt-5-mini', servedModel: 'gpt-5.1', ...money(0.5, 0.2) }],
  // From the cache.
  [1, 'search', { requestedModel: 'gpt-5.1', servedModel: 'gpt-5-nano', cache: 'hit', attempts: [], ...money(0, 0.1111) }],
  // Refused: cost nothing, and nobody knows what it would have cost.
  [
    1,
    'support',
    { requestedModel: 'gpt-5.1', servedModel: null, outcome: 'blocked', status: 429, attempts: [], usage: null, ...money(0, null) },
  ],
  // The requested model is in no catalog: paid, but compared with nothing.
  [1, 'labs', { requestedModel: 'in-house', servedModel: 'gpt-5-mini', ...money(0.0333, null, 'model') }],
  // A stream without usage, and a model without a price.
  [
    1,
    'support',
    { requestedModel: 'gpt-5.1', servedModel: 'gpt-5.1', usage: null, usageUnknown: 'stream-not-asked', ...money(null, null) },
  ],
  [1, 'labs', { requestedModel: 'in-house', servedModel: 'in-house', ...money(null, null, 'model') }],
];

/** A month of exchanges by UTC, and one just before and one just after it. Always the same. */
export function october(): ExchangeRecord[] {
  const records: ExchangeRecord[] = [];
  for (let day = 0; first + day * dayMs < last; day++)
    for (const [perDay, workspace, facts] of kinds)
      for (let at = 0; at < perDay; at++) {
        const { servedModel } = facts;
        const time = first + day * dayMs + at * 3_600_000;
        const base = sample(time, { workspace, user: null, ...facts });
        const attempts =
          facts.attempts ??
          base.attempts.map((attempt) => ({ ...attempt, target: { provider: 'openai', model: servedModel ?? '' }, cost: base.cost }));
        records.push({ ...base, answeredModel: servedModel ?? null, attempts });
      }
  const outside = { workspace: 'search', ...money(1_000, 2_000) };
  records.push(sample(first - 1, outside), sample(last, outside));
  return records;
}

/** The provider's own count of that month, in the form of OpenAI's export: it billed the stream that nobody could count. */
export function octoberBill(records: readonly ExchangeRecord[]): string {
  const models = new Map<string, { day: string; model: string; requests: number; input: number; output: number }>();
  for (const { servedModel, cache, usage, time, outcome } of records) {
    if (servedModel === null || servedModel === 'in-house' || cache === 'hit' || outcome === 'blocked' || !time.startsWith('2026-10'))
      continue;
    const day = time.slice(0, 10);
    const key = `${day} ${servedModel}`;
    const line = models.get(key) ?? { day, model: servedModel, requests: 0, input: 0, output: 0 };
    line.requests++;
    line.input += usage?.totalInput ?? 1_000;
    line.output += usage?.totalOutput ?? 500;
    models.set(key, line);
  }
  const rows = [...models.values()].map(({ day, model, requests, input, output }) => {
    const start = Date.parse(day);
    const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', '+00:00');
    const span = [start / 1_000, (start + dayMs) / 1_000, iso(start), iso(start + dayMs)];
    return [...span, requests, 'p', `${model}-2025-08-07`, input, output, 0].join(',');
  });
  return `start_time,end_time,start_time_iso,end_time_iso,num_model_requests,project_id,model,input_tokens,output_tokens,input_cached_tokens\n${rows.join('\n')}\n`;
}
