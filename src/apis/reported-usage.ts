import type { ApiName, Usage } from './types.ts';
import { conventionOf } from './usage.ts';

/** Token totals as somebody else read them from an answer; parts are inside them. */
export interface UsageTotals {
  readonly input: number;
  readonly output: number;
  readonly cachedRead: number;
  readonly cacheWrite: number;
  readonly reasoning: number;
}

/**
 * Totals as disjoint classes; null when a part is larger than its whole. What they do not tell apart is not here: audio, and prompt-cache entries that are kept
 * for longer than the default.
 */
export function usageFromTotals(api: ApiName, totals: UsageTotals): Usage | null {
  const convention = conventionOf(api);
  const input = totals.input - totals.cachedRead - totals.cacheWrite;
  const output = totals.output - totals.reasoning;
  if (convention === null || input < 0 || output < 0) return null;
  return {
    convention,
    input,
    cachedRead: totals.cachedRead,
    cacheWrite5m: totals.cacheWrite,
    cacheWrite1h: 0,
    audioInput: 0,
    output,
    reasoning: totals.reasoning,
    audioOutput: 0,
    totalInput: totals.input,
    totalOutput: totals.output,
    raw: JSON.stringify(totals),
  };
}
