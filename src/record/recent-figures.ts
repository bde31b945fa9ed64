import type { ExchangeRecord } from './types.ts';

/** Milliseconds; null if there are no values. */
interface Percentiles {
  readonly count: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** A fallback from one target to another. */
interface FallbackLine {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly count: number;
}

/** One arm of an experiment. Dollars cover the exchanges whose cost is known. */
interface ArmLine {
  readonly arm: string;
  readonly exchanges: number;
  /** Exchanges whose answer was complete. */
  readonly complete: number;
  readonly cost: number;
  readonly costUnknown: number;
  readonly latency: Percentiles;
}

export interface RecentFigures {
  /** Number of exchanges considered. */
  readonly of: number;
  /** Time of the oldest exchange, ISO 8601; null if there are none. */
  readonly since: string | null;
  readonly latency: {
    /** From the request's headers to the end of the answer, for exchanges answered by a provider. */
    readonly total: Percentiles;
    readonly firstByte: Percentiles;
    /** Streams only. */
    readonly firstToken: Percentiles;
    /** Time spent in Sluice. */
    readonly overhead: Percentiles;
  };
  /** Most frequent first. */
  readonly fallbacks: readonly FallbackLine[];
  readonly arms: readonly ArmLine[];
}

/** Aggregates records, oldest first. */
export function figuresOf(records: readonly ExchangeRecord[]): RecentFigures {
  const answered = records.filter(({ cacheEntry }) => cacheEntry === null);
  const times = (read: (timing: ExchangeRecord['timing']) => number | null): Percentiles =>
    percentiles(answered.map(({ timing }) => read(timing)));
  return {
    of: records.length,
    since: records[0]?.time ?? null,
    latency: {
      total: times(({ totalMs }) => totalMs),
      firstByte: times(({ firstByteMs }) => firstByteMs),
      firstToken: times(({ firstTokenMs }) => firstTokenMs),
      overhead: percentiles(records.map(({ timing }) => timing.overheadMs)),
    },
    fallbacks: fallbacksOf(records),
    arms: armsOf(records),
  };
}

function fallbacksOf(records: readonly ExchangeRecord[]): FallbackLine[] {
  const lines = new Map<string, { from: string; to: string; reason: string; count: number }>();
  for (const { attempts } of records) {
    for (let at = 0; at + 1 < attempts.length; at++) {
      const from = nameOf(attempts[at]);
      const to = nameOf(attempts[at + 1]);
      const reason = attempts[at]?.reason ?? 'none';
      const key = `${from}\n${to}\n${reason}`;
      const line = lines.get(key);
      if (line === undefined) lines.set(key, { from, to, reason, count: 1 });
      else line.count++;
    }
  }
  return [...lines.values()].sort((a, b) => b.count - a.count);
}

function nameOf(attempt: ExchangeRecord['attempts'][number] | undefined): string {
  return attempt === undefined ? '' : `${attempt.target.provider}/${attempt.target.model}`;
}

function armsOf(records: readonly ExchangeRecord[]): ArmLine[] {
  const byArm = new Map<string, ExchangeRecord[]>();
  for (const record of records) {
    if (record.arm === null) continue;
    // One exchange may take part in several experiments.
    for (const arm of record.arm.split(',')) {
      const same = byArm.get(arm);
      if (same === undefined) byArm.set(arm, [record]);
      else same.push(record);
    }
  }
  return [...byArm]
    .map(([arm, its]) => ({
      arm,
      exchanges: its.length,
      complete: its.filter(({ outcome }) => outcome === 'complete').length,
      cost: its.reduce((sum, { cost }) => sum + (cost.known ? cost.usd : 0), 0),
      costUnknown: its.filter(({ cost }) => !cost.known).length,
      latency: percentiles(its.map(({ timing }) => timing.totalMs)),
    }))
    .sort((a, b) => (a.arm < b.arm ? -1 : 1));
}

/** Nearest rank. */
function percentiles(found: readonly (number | null)[]): Percentiles {
  const values = found.filter((value) => value !== null).sort((a, b) => a - b);
  const at = (share: number): number | null => values[Math.max(0, Math.ceil(share * values.length) - 1)] ?? null;
  return { count: values.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
