/** The remainder of one kind of rate limit. */
export interface LimitLeft {
  readonly kind: 'requests' | 'tokens';
  readonly max: number;
  readonly remaining: number;
  /** Milliseconds since the epoch. */
  readonly resetAt: number;
}

/** The rate-limit headers that SDKs and apps read; `now`: milliseconds since the epoch. */
export type LimitHeaders = (left: readonly LimitLeft[], now: number) => (readonly [name: string, value: string])[];

/** OpenAI's names, which other providers use too. */
export const plainLimitHeaders: LimitHeaders = (left, now) =>
  left.flatMap(({ kind, max, remaining, resetAt }) => [
    [`x-ratelimit-limit-${kind}`, String(max)],
    [`x-ratelimit-remaining-${kind}`, String(remaining)],
    [`x-ratelimit-reset-${kind}`, duration(resetAt - now)],
  ]);

/** A duration as OpenAI writes it: `850ms`, `12s`, `6m0s`, `1h2m3s`. */
function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.ceil(ms))}ms`;
  const seconds = Math.ceil(ms / 1_000);
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor((seconds % 3_600) / 60);
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds % 60}s`;
}
