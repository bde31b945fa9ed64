import type { PolicySnapshot } from '../policy/types.ts';
import { valuesOf } from './facts.ts';
import type { RateKind, RateLimit, RateMeasure, RatePeriod } from '../policy/rate-types.ts';
import type { BudgetKey } from '../policy/budget-types.ts';
import type { BudgetStore, CounterState } from './types.ts';

/** One counter as `GET /limits` and `sluice limits` show it. */
export interface LimitView {
  readonly limit: string;
  readonly of: Readonly<Partial<Record<BudgetKey, string>>>;
  readonly kind: RateKind;
  readonly period: RatePeriod | null;
  readonly max: number;
  /** Requests or tokens, including those of in-flight requests. */
  readonly used: number;
  /** 0..; 1 is the limit. */
  readonly ratio: number;
  readonly mode: 'hard' | 'soft';
  /** `reached`: the next request is refused (hard) or only counted (soft). */
  readonly state: 'ok' | 'reached';
  /** When the window ends, ISO 8601; null if it has no window. */
  readonly resetsAt: string | null;
}

type Limited = Pick<PolicySnapshot, 'rateLimits'>;

/** All counters of the current windows, fullest first; unused limits are listed with zero usage. */
export async function viewLimits(
  generation: Limited,
  store: BudgetStore,
  options: { readonly limit: string | null; readonly rows: number; readonly now: number },
): Promise<{ readonly store: string; readonly up: boolean; readonly counters: number; readonly limits: readonly LimitView[] }> {
  const views: LimitView[] = [];
  for (const limit of generation.rateLimits) {
    if (options.limit !== null && limit.name !== options.limit) continue;
    for (const measure of limit.measures) {
      const start = windowStart(measure, options.now);
      const counters = await store.list(measure.counters, start, measure.kind === 'concurrent');
      if (counters.length === 0) views.push(viewOf(limit, measure, {}, { spent: 0, reserved: 0 }, start));
      for (const [counter, state] of counters) views.push(viewOf(limit, measure, valuesOf(limit, counter), state, start));
    }
  }
  views.sort((a, b) => b.ratio - a.ratio || (a.limit < b.limit ? -1 : 1));
  return { store: store.kind, up: store.up, counters: views.length, limits: views.slice(0, options.rows) };
}

function windowStart({ windowMs }: RateMeasure, now: number): number {
  return windowMs === 0 ? 0 : Math.floor(now / windowMs) * windowMs;
}

function viewOf(
  limit: RateLimit,
  { kind, period, max, windowMs }: RateMeasure,
  of: LimitView['of'],
  { spent, reserved }: CounterState,
  start: number,
): LimitView {
  const used = spent + reserved;
  return {
    limit: limit.name,
    of,
    kind,
    period,
    max,
    used,
    ratio: used / max,
    mode: limit.soft ? 'soft' : 'hard',
    state: used >= max ? 'reached' : 'ok',
    resetsAt: period === null ? null : new Date(start + windowMs).toISOString(),
  };
}

/** Metrics for one kind of a rate limit: its fullest counter among those that this replica has seen. */
export interface LimitFigures {
  readonly limit: string;
  readonly kind: RateKind;
  readonly used: number;
}

export function limitFigures({ rateLimits }: Limited, store: BudgetStore, now: number): LimitFigures[] {
  if (rateLimits.length === 0) return [];
  const byCounters = new Map(
    rateLimits.flatMap(({ name, measures }) =>
      measures.map((measure) => [measure.counters, { limit: name, measure, start: windowStart(measure, now) }] as const),
    ),
  );
  const figures = new Map<string, { limit: string; kind: RateKind; used: number }>();
  for (const { name, measures } of rateLimits)
    for (const { kind } of measures) figures.set(`${name} ${kind}`, { limit: name, kind, used: 0 });
  for (const [counter, { spent, reserved }] of store.seen()) {
    const of = byCounters.get(counter.budget);
    const figure = of === undefined ? undefined : figures.get(`${of.limit} ${of.measure.kind}`);
    if (of === undefined || figure === undefined || of.start !== counter.start) continue;
    figure.used = Math.max(figure.used, (spent + reserved) / of.measure.max);
  }
  return [...figures.values()];
}
