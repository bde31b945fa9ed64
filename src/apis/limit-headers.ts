import type { ApiName } from './types.ts';

/** What is left of one kind of rate limit. */
export interface LimitLeft {
  readonly kind: 'requests' | 'tokens';
  readonly max: number;
  readonly remaining: number;
  /** Milliseconds since the epoch. */
  readonly resetAt: number;
}

/** The headers by which SDKs and apps of an API read rate limits: Anthropic's own for its API, OpenAI's names elsewhere. */
export function limitHeaders(api: ApiName, left: readonly LimitLeft[], now: number): (readonly [string, string])[] {
  const anthropic = api === 'anthropic-messages' || api === 'anthropic-count-tokens';
  return left.flatMap(({ kind, max, remaining, resetAt }): (readonly [string, string])[] =>
    anthropic
      ? [
          [`anthropic-ratelimit-${kind}-limit`, String(max)],
          [`anthropic-ratelimit-${kind}-remaining`, String(remaining)],
          // Whole seconds, as Anthropic writes them; never before the window's end.
          [`anthropic-ratelimit-${kind}-reset`, `${new Date(Math.ceil(resetAt / 1000) * 1000).toISOString().slice(0, 19)}Z`],
        ]
      : [
          [`x-ratelimit-limit-${kind}`, String(max)],
          [`x-ratelimit-remaining-${kind}`, String(remaining)],
          [`x-ratelimit-reset-${kind}`, duration(resetAt - now)],
        ],
  );
}

/** A duration as OpenAI writes it: `850ms`, `12s`, `6m0s`, `1h2m3s`. */
function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.ceil(ms))}ms`;
  const seconds = Math.ceil(ms / 1_000);
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor((seconds % 3_600) / 60);
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds % 60}s`;
}
