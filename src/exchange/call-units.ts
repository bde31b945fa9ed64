import type { ObservedUnits } from '../budgets/calls.ts';
import type { PassReason } from '../apis/types.ts';
import { limits } from '../lib/limits.ts';
import type { ObservedCall } from './call.ts';

/** What budgets and rate limits count an observed call as. `body`: null if it was not read. */
export function unitsOf({ about, free }: ObservedCall, reason: PassReason, body: Buffer | null): ObservedUnits {
  return { free, contains: about === 'batches' && !free && body !== null ? requestsIn(body) : 1, endless: reason === 'upgrade' };
}

/** Whether the body is needed to count the call. */
export function bodyTells({ about }: ObservedCall): boolean {
  return about === 'batches';
}

/** How deep a list of requests may be: Gemini's is in `batch.input_config.requests.requests`. */
const deepest = 4;

/** Number of requests in a batch's body; 1 if it names a file instead. */
function requestsIn(body: Buffer): number {
  try {
    return Math.min(Math.max(1, longest(JSON.parse(body.toString('utf8')), 0)), limits.batchRequests);
  } catch {
    return 1;
  }
}

function longest(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null || depth > deepest) return 0;
  let most = 0;
  for (const [key, inner] of Object.entries(value))
    most = Math.max(most, Array.isArray(inner) && key === 'requests' ? inner.length : Array.isArray(inner) ? 0 : longest(inner, depth + 1));
  return most;
}
