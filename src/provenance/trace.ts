import { randomFillSync } from 'node:crypto';

/** One step of Sluice's own work, in ms since the request's headers. */
export interface TraceStep {
  readonly name: 'cache' | 'classify' | 'decide';
  readonly startMs: number;
  readonly endMs: number;
}

/** Where a request stands in its trace. Ids are lower-case hex. */
export interface TraceFacts {
  readonly traceId: string;
  /** The caller's span; null: the trace begins here. */
  readonly parentId: string | null;
  readonly traceState: string | null;
  /** Sluice's span for this request. */
  readonly spanId: string;
  /** The span of the call to the provider; the provider hears of this one. */
  readonly attemptId: string;
  readonly sampled: boolean;
  /** Filled while the request is worked on. */
  readonly steps: TraceStep[];
}

const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** Longest tracestate that is passed along, in characters (W3C Trace Context). */
const traceStateUnits = 512;

/**
 * Joins the caller's trace, or begins one. A caller's decision to sample is kept; of traces that begin here `ratio` (0 to 1)
 * is sampled.
 */
export function beginTrace(header: string | undefined, state: string | undefined, ratio: number): TraceFacts {
  const found = header === undefined ? null : traceparent.exec(header.trim());
  const own = randomHex(8);
  const attemptId = randomHex(8);
  if (found === null) {
    const traceId = randomHex(16);
    // As the SDK's ratio sampler: the id itself decides, so that all parties agree.
    const sampled = Number.parseInt(traceId.slice(0, 8), 16) < ratio * 0x1_0000_0000;
    return { traceId, parentId: null, traceState: null, spanId: own, attemptId, sampled, steps: [] };
  }
  return {
    traceId: found[1]!,
    parentId: found[2]!,
    traceState: state === undefined || state === '' || state.length > traceStateUnits ? null : state,
    spanId: own,
    attemptId,
    sampled: (Number.parseInt(found[3]!, 16) & 1) === 1,
    steps: [],
  };
}

/** The traceparent header that the provider gets. */
export function traceparentOf({ traceId, attemptId, sampled }: TraceFacts): string {
  return `00-${traceId}-${attemptId}-${sampled ? '01' : '00'}`;
}

function randomHex(bytes: number): string {
  return randomFillSync(Buffer.allocUnsafe(bytes)).toString('hex');
}
