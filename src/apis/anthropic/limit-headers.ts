import type { LimitHeaders } from '../common/limit-headers.ts';

/** Anthropic's own names. */
export const anthropicLimitHeaders: LimitHeaders = (left) =>
  left.flatMap(({ kind, max, remaining, resetAt }) => [
    [`anthropic-ratelimit-${kind}-limit`, String(max)],
    [`anthropic-ratelimit-${kind}-remaining`, String(remaining)],
    // Whole seconds, as Anthropic writes them; rounded up, so never before the window's end.
    [`anthropic-ratelimit-${kind}-reset`, `${new Date(Math.ceil(resetAt / 1000) * 1000).toISOString().slice(0, 19)}Z`],
  ]);
