import type { RedisTarget } from '../lib/redis/connect.ts';
import { SluiceError } from '../lib/errors.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { Budgets } from './budgets.ts';
import { BudgetFile } from './file.ts';
import { MemoryBudgetStore } from './memory.ts';
import { Notifier } from './notify.ts';
import type { RateKind } from '../policy/rate-types.ts';
import type { BudgetBackendProblem } from './redis.ts';
import type { BudgetStore } from './types.ts';

export interface BudgetSettings {
  /** The file that keeps this process's counters across restarts; null if none. Not used with Redis. */
  readonly file: string | null;
  /** Whether the user asked for the file: then an unreadable file stops the start. */
  readonly required: boolean;
  /** The Redis in which replicas share their counters; null if each has its own. */
  readonly redis: (RedisTarget & { readonly deadlineMs: number }) | null;
}

/** Callbacks for metrics and logs. */
export interface BudgetTold {
  readonly action: (budget: string, action: 'cheaper' | 'refused' | 'assumed') => void;
  readonly limit: (limit: string, kind: RateKind, action: 'over' | 'refused') => void;
  readonly shared: () => void;
  readonly message: (budget: string, result: 'sent' | 'failed' | 'dropped', error: string | null) => void;
  readonly backendProblem: (problem: BudgetBackendProblem) => void;
  readonly event: (fields: { readonly budget: string; readonly event: string; readonly percent: number | null }) => void;
  readonly fileError: (error: unknown) => void;
}

export interface OpenBudgets {
  readonly budgets: Budgets;
  close(): Promise<void>;
}

/** Opens budgets with the storage that `settings` choose. Throws SluiceError for an invalid file or Redis URL. */
export async function openBudgets(settings: BudgetSettings, told: BudgetTold): Promise<OpenBudgets> {
  const { store, file } = await openStore(settings, told);
  const notifier = new Notifier({ onResult: told.message });
  const budgets = new Budgets({
    store,
    onAction: told.action,
    onLimit: told.limit,
    onShared: told.shared,
    onEvent: (event, generation: PolicySnapshot) => {
      told.event({ budget: event.budget.name, event: event.kind, percent: event.percent });
      notifier.send(event, generation.webhooks);
    },
  });
  return {
    budgets,
    async close() {
      notifier.close();
      await file?.close();
      await store.close();
    },
  };
}

async function openStore(
  { file, required, redis }: BudgetSettings,
  told: BudgetTold,
): Promise<{ readonly store: BudgetStore; readonly file: BudgetFile | null }> {
  if (redis !== null) {
    // Load ioredis only if it is used.
    const [{ redisClient }, { RedisBudgetStore }] = await Promise.all([import('../lib/redis/connect.ts'), import('./redis.ts')]);
    return {
      store: new RedisBudgetStore({ client: redisClient(redis), deadlineMs: redis.deadlineMs, onProblem: told.backendProblem }),
      file: null,
    };
  }
  const store = new MemoryBudgetStore();
  if (file === null) return { store, file: null };
  try {
    return { store, file: new BudgetFile(file, store, told.fileError) };
  } catch (error) {
    if (required || !(error instanceof SluiceError)) throw error;
    told.fileError(error);
    return { store, file: null };
  }
}

/** Budgets for a process that counts nothing: each request finds them empty. */
export function emptyBudgets(): Budgets {
  return new Budgets({ store: new MemoryBudgetStore(), onAction: () => undefined, onLimit: () => undefined, onEvent: () => undefined });
}
