import { randomFillSync } from 'node:crypto';

/** One step of Sluice's own work, in ms since the request's headers. */
interface TraceStep {
  readonly name: 'cache' | 'classify' | 'decide';
  readonly startMs: number;
  /** Extended while the step waits for another one. */
  endMs: number;
}

/** The trace of a request. Ids are lower-case hex. */
export interface TraceFacts {
  readonly traceId: string;
  /** The caller's span; null if the trace begins here. */
  readonly parentId: string | null;
  /** Sluice's span for this request. */
  readonly spanId: string;
  /** Spans of the calls to providers, one per attempt; each provider is sent its own. Appended as attempts begin. */
  readonly attemptIds: string[];
  readonly sampled: boolean;
  /** Appended while the request is processed. */
  readonly steps: TraceStep[];
  /** The conversation id sent by the app in a header or in the body; absent if none. */
  conversation?: string;
}

const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/**
 * Continues the caller's trace, or begins one. A caller's sampling decision is kept; of traces that begin here, a share of `ratio` (0 to 1)
 * is sampled. If `byParent` is false, the ratio applies to all traces.
 */
export function beginTrace(header: string | undefined, ratio: number, byParent = true): TraceFacts {
  const found = header === undefined ? null : traceparent.exec(header.trim());
  const own = randomHex(8);
  const attemptIds = [randomHex(8)];
  if (found === null) {
    const traceId = randomHex(16);
    return { traceId, parentId: null, spanId: own, attemptIds, sampled: drawn(traceId, ratio), steps: [] };
  }
  return {
    traceId: found[1]!,
    parentId: found[2]!,
    spanId: own,
    attemptIds,
    sampled: byParent ? (Number.parseInt(found[3]!, 16) & 1) === 1 : drawn(found[1]!, ratio),
    steps: [],
  };
}

/** Like the SDK's ratio sampler: the id itself decides, so that all parties agree. */
function drawn(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(0, 8), 16) < ratio * 0x1_0000_0000;
}

/** The trace id of a traceparent header; null if it is missing or invalid. */
export function traceIdOf(header: string | undefined): string | null {
  return header === undefined ? null : (traceparent.exec(header.trim())?.[1] ?? null);
}

/** The traceparent header for the provider of an attempt, counted from 0. */
export function traceparentOf({ traceId, attemptIds, sampled }: TraceFacts, attempt: number): string {
  const id = (attemptIds[attempt] ??= randomHex(8));
  return `00-${traceId}-${id}-${sampled ? '01' : '00'}`;
}

function randomHex(bytes: number): string {
  return randomFillSync(Buffer.allocUnsafe(bytes)).toString('hex');
}
