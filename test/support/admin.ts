import type { Admin } from '../../src/admin/listen.ts';
import { createAdmin } from '../../src/admin/server.ts';
import { MemoryBudgetStore } from '../../src/budgets/memory.ts';
import { ResponseCache } from '../../src/cache/cache.ts';
import { Credentials } from '../../src/exchange/credentials.ts';
import { PolicyHistory } from '../../src/policy/history.ts';
import type { PolicySnapshot } from '../../src/policy/types.ts';
import { Metrics } from '../../src/record/metrics.ts';
import { RecentRecords } from '../../src/record/recent.ts';
import { OnlineLearner } from '../../src/router/online/learner.ts';
import { noTrials } from './trials.ts';

type Parts = Parameters<typeof createAdmin>[0];

/** An admin server of a policy with nothing behind it but what is given. */
export function adminOf(policy: () => PolicySnapshot, given: Partial<Parts> = {}): Admin {
  return createAdmin({
    registry: given.registry ?? new Metrics({ version: '1', policy, refused: () => false }).registry,
    recent: new RecentRecords(),
    policyStore: { current: policy, lastRefusal: () => null, sources: () => [] },
    cache: new ResponseCache({ memoryBytes: 1_000_000 }),
    budgets: new MemoryBudgetStore(),
    ledger: null,
    history: new PolicyHistory(),
    credentials: new Credentials(),
    router: null,
    token: null,
    log: { level: 'info' },
    learning: { learner: new OnlineLearner(), publish: () => undefined },
    grades: () => Promise.resolve([]),
    trials: noTrials(policy()),
    feedback: () => Promise.resolve({ status: 202, body: {} }),
    ready: () => true,
    ...given,
  });
}
