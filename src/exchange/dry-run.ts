import { emptyBudgets } from '../budgets/open.ts';
import { ResponseCache } from '../cache/cache.ts';
import type { HeaderMap } from '../lib/headers.ts';
import { limits } from '../lib/limits.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { Metrics } from '../record/metrics.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { Cooldowns } from '../route/cooldowns.ts';
import { Pools } from '../route/pools.ts';
import { LoadGate } from './load-gate.ts';
import type { Credentials } from './credentials.ts';
import { Pipeline, type PipelineOptions } from './gateway.ts';

export interface DryRun {
  readonly generation: PolicySnapshot;
  readonly credentials: Credentials;
  /** The learned router; null if there is none. */
  readonly router: PipelineOptions['router'];
  /** As Envoy would send them, including pseudo-headers. */
  readonly headers: HeaderMap;
  readonly body: Buffer;
}

export interface DryRunResult {
  /** Its outcome is `unobserved` or `blocked`: nothing was sent. Null if it would pass undecided. */
  readonly record: ExchangeRecord | null;
  /** Why it would pass undecided; empty when there is a record. */
  readonly passed: string;
}

/** Runs one request through the server's own pipeline with an empty cache. Nothing is sent, counted or kept. */
export async function dryRun({ generation, credentials, router, headers, body }: DryRun): Promise<DryRunResult> {
  const records: ExchangeRecord[] = [];
  let failed = false;
  const cache = new ResponseCache({ memoryBytes: limits.cacheMemoryBytes });
  const pipeline = new Pipeline({
    cache,
    policy: { current: () => generation },
    credentials,
    learner: null,
    router,
    sessions: null,
    embedder: null,
    trials: null,
    shadows: null,
    pools: new Pools(),
    budgets: emptyBudgets(),
    admission: new LoadGate(0),
    bodies: null,
    grader: null,
    feedback: null,
    // Every target is assumed healthy: health is known only to the running server.
    cooldowns: new Cooldowns(),
    sink: { record: (record) => records.push(record) },
    metrics: new Metrics({ version: '', policy: () => generation, refused: () => false }),
    log: { error: () => (failed = true), debug: () => undefined },
  });
  try {
    const plan = pipeline.requestHeaders(headers, false);
    let planned = plan.kind === 'read-body' ? plan.handler.take(body) : plan;
    while (planned.kind === 'later') planned = await planned.result;
    const { metadata } = planned;
    pipeline.close();
    const record = records[0] ?? null;
    return {
      record,
      passed:
        record === null ? (failed ? 'internal-error' : typeof metadata?.['reason'] === 'string' ? metadata['reason'] : 'unknown') : '',
    };
  } finally {
    pipeline.close();
    cache.close();
  }
}
