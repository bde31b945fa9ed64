import type { AttemptRecord, ExchangeRecord } from '../record/types.ts';
import { expectedOutputTokens } from '../route/estimate.ts';
import type { DecideInput } from '../route/types.ts';
import { matchesServed, valuesFor, type Served } from './match.ts';
import type { RateKind, RateLimit, RateMeasure } from '../policy/rate-types.ts';
import { counterId, type Charge, type Counter } from './types.ts';

/** How long counters are kept after their window, in ms: later settlements change nothing that is still read. */
const afterWindowMs = 60_000;

export interface RatePlan {
  readonly kind: 'limit';
  readonly limit: RateLimit;
  readonly measure: RateMeasure;
  readonly charge: Charge;
}

/** The counter for one measure of a rate limit. */
export function rateCounter(limit: RateLimit, measure: RateMeasure, of: Served, now: number): Counter {
  const values = valuesFor(limit.per, of);
  const { counters: budget, windowMs } = measure;
  if (measure.kind === 'concurrent') return { id: counterId(budget, 0, values), budget, values, start: 0, end: Infinity, concurrent: true };
  const start = Math.floor(now / windowMs) * windowMs;
  return { id: counterId(budget, start, values), budget, values, start, end: start + windowMs, keepMs: afterWindowMs };
}

/** What a request reserves in the rate limits that apply to it. If `enforce` is false, nothing is refused. */
export function ratePlans(
  rateLimits: readonly RateLimit[],
  input: Pick<DecideInput, 'exchange' | 'verdict'>,
  of: Served,
  enforce: boolean,
  now: number,
): RatePlan[] {
  const plans: RatePlan[] = [];
  for (const limit of rateLimits) {
    if (!matchesServed(limit, of)) continue;
    for (const measure of limit.measures) {
      const amount = measure.kind === 'tokens' ? expectedTokens(input) : 1;
      plans.push({
        kind: 'limit',
        limit,
        measure,
        charge: { counter: rateCounter(limit, measure, of, now), amount, ceiling: enforce && !limit.soft ? measure.max : Infinity },
      });
    }
  }
  return plans;
}

/** Prompt tokens plus the answer's assumed tokens. */
function expectedTokens({ exchange, verdict }: Pick<DecideInput, 'exchange' | 'verdict'>): number {
  return Math.ceil(Math.max(0, exchange.promptTokens) + expectedOutputTokens(exchange, verdict));
}

/** The known tokens of an attempt whose answer did not reach the app. */
export const unseen: Pick<ExchangeRecord, 'usage' | 'seen'> = { usage: null };

/** What one attempt used of a measure. `usage`, `seen`: those of its answer. */
export function rateSpent(
  kind: RateKind,
  { status, cost }: AttemptRecord,
  { usage, seen }: Pick<ExchangeRecord, 'usage' | 'seen'>,
  reserved: number,
): number {
  if (kind === 'requests') return 1;
  if (kind === 'concurrent') return 0;
  if (usage !== null) return usage.totalInput + usage.totalOutput;
  // As for budgets: unknown usage counts as assumed, and an error costs nothing.
  return cost.known || (status !== null && status >= 400) ? 0 : Math.max(reserved, seen === undefined ? 0 : seen.input + seen.output);
}
