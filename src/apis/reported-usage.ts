import type { ApiName, Usage } from './types.ts';
import { conventionOf } from './usage.ts';

/** Token totals that another component (not Sluice) read from an answer; the other fields are parts of the totals. */
export interface UsageTotals {
  readonly input: number;
  readonly output: number;
  readonly cachedRead: number;
  readonly cacheWrite: number;
  readonly reasoning: number;
}

/**
 * Totals as disjoint classes; null when a part is larger than its whole. Two things are missing because the totals do not show them: audio,
 * and prompt-cache entries that are kept for longer than the default.
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
