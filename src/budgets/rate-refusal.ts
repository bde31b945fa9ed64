import type { RatePlan } from './rate-charges.ts';
import type { LimitReading, LimitRefusal } from './rate-types.ts';
import type { RateMeasure, RatePeriod } from '../policy/rate-types.ts';
import type { BudgetStore, CounterState } from './types.ts';

/** Retry-after seconds if in-flight requests hold what is left. */
const busySeconds = { concurrent: 1, tokens: 5 } as const;

const periods: Readonly<Record<RatePeriod, string>> = { minute: 'a minute', hour: 'an hour', day: 'a day' };

/** Describes a measure of a rate limit: `60 requests a minute`. */
export function rateWords({ kind, period, max }: Pick<RateMeasure, 'kind' | 'period' | 'max'>): string {
  if (kind === 'concurrent' || period === null) return `${max} request${max === 1 ? '' : 's'} at once`;
  return `${max} ${max === 1 ? kind.slice(0, -1) : kind} ${periods[period]}`;
}

export interface LimitAnswer {
  readonly message: string;
  readonly retryAfterSeconds: number;
  readonly refusal: LimitRefusal;
}

/** The answer to a request that a rate limit refuses. `plans`: those of all rate limits that were checked for it. */
export function limitAnswer(
  failed: RatePlan,
  state: CounterState,
  plans: readonly RatePlan[],
  store: Pick<BudgetStore, 'peek'>,
  now: number,
): LimitAnswer {
  const { limit, measure, charge } = failed;
  const mayRetry = charge.amount <= measure.max;
  const retryAfterSeconds = retryAfter(failed, state, now);
  const name = `The rate limit ${limit.name} (${rateWords(measure)})`;
  const why = !mayRetry
    ? `${name} never allows this request, which counts as ${charge.amount} tokens.`
    : measure.kind === 'concurrent'
      ? `${name} is reached. Try again when one of them has ended.`
      : `${name} is reached. Try again in ${retryAfterSeconds} s.`;
  return {
    message: limit.message ?? why,
    retryAfterSeconds,
    refusal: { kind: measure.kind, readings: readings(failed, state, plans, store), mayRetry, now },
  };
}

function retryAfter({ measure, charge }: RatePlan, { spent }: CounterState, now: number): number {
  if (measure.kind === 'concurrent') return busySeconds.concurrent;
  const untilEnd = Math.max(1, Math.ceil((charge.counter.end - now) / 1000));
  // An in-flight request stays counted; the tokens that it reserves may be more than it uses.
  return measure.kind === 'requests' || spent + charge.amount > charge.ceiling ? untilEnd : Math.min(busySeconds.tokens, untilEnd);
}

/** For each kind, the measure that refused, or else the one with the smallest share left. */
function readings(failed: RatePlan, state: CounterState, plans: readonly RatePlan[], store: Pick<BudgetStore, 'peek'>): LimitReading[] {
  const found = new Map<LimitReading['kind'], LimitReading>();
  for (const plan of plans) {
    const { kind, max } = plan.measure;
    if (kind === 'concurrent' || plan.limit.soft || (failed.measure.kind === kind && plan !== failed)) continue;
    const { spent, reserved } = plan === failed ? state : (store.peek(plan.charge.counter.id) ?? { spent: 0, reserved: 0 });
    const reading: LimitReading = { kind, max, remaining: Math.max(0, max - spent - reserved), resetAt: plan.charge.counter.end };
    const before = found.get(kind);
    if (before === undefined || reading.remaining / max < before.remaining / before.max) found.set(kind, reading);
  }
  return [...found.values()];
}
