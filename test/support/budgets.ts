import { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { BudgetAdmission, Budgets } from '../../src/budgets/budgets.ts';
import type { Reservation } from '../../src/budgets/reservation.ts';
import { RedisBudgetStore } from '../../src/budgets/redis.ts';
import { redisClient } from '../../src/lib/redis/connect.ts';
import type { PolicySnapshot } from '../../src/policy/types.ts';
import { decide } from '../../src/route/decide.ts';
import type { DecideInput } from '../../src/route/types.ts';
import type { AttemptRecord } from '../../src/record/types.ts';
import { exchange, input, provider, verdict } from './decision.ts';
import { redisThere, TestRedis } from './redis.ts';

/** A request whose budgets and limits are asked. */
export interface Asked {
  readonly model?: string;
  readonly tier?: 'simple' | 'standard' | 'complex';
  readonly workspace?: string;
  readonly user?: string | null;
  /** Of the prompt: 1,000 by default, a cent at gpt-large. */
  readonly tokens?: number;
  /** Output tokens that the request allows. */
  readonly answer?: number;
  readonly enforce?: boolean;
  readonly routeOff?: boolean;
}

export function inputOf(
  generation: PolicySnapshot,
  { model = 'gpt-large', tier = 'complex', workspace = 'red', tokens = 1_000, answer = 0 }: Asked,
): DecideInput {
  const base = input({ generation, provider: generation.providers.get('openai') ?? provider('openai') });
  return {
    ...base,
    exchange: exchange({ model, promptTokens: tokens, maxOutputTokens: answer }),
    verdict: verdict({ tier }),
    section: generation.section(workspace, 'openai'),
    caller: { ...base.caller, workspace },
  };
}

let asked = 0;

/** An id that no other request of this process has. */
export const nextId = (): string => `request-${++asked}`;

/** Decides a request and asks its budgets and limits. */
export function admit(
  { budgets }: { readonly budgets: Budgets },
  generation: PolicySnapshot,
  what: Asked = {},
): BudgetAdmission | Promise<BudgetAdmission> {
  const decided = inputOf(generation, what);
  return budgets.admit({
    id: nextId(),
    input: decided,
    decision: decide(decided),
    user: what.user ?? null,
    enforce: what.enforce ?? true,
    cheaper: what.routeOff === true ? null : (cheaper) => decide({ ...decided, cheaper }),
  });
}

/** The reservation that an admission must have. */
export function held({ reservation }: BudgetAdmission): Reservation {
  if (reservation === null) throw new Error('nothing is reserved');
  return reservation;
}

export const attempt = (model: string, cost: AttemptRecord['cost'], status: number | null = 200): AttemptRecord => ({
  target: { provider: 'openai', model },
  status,
  outcome: 'complete',
  reason: null,
  ms: 1,
  cost,
  dropped: [],
});

/** The counters of a test's own Redis, where Redis is. */
export class BudgetRedis {
  readonly problems: string[] = [];
  readonly #stores: RedisBudgetStore[] = [];
  #server: TestRedis | null = null;

  async start(): Promise<void> {
    if (redisThere) this.#server = await TestRedis.start();
  }

  get server(): TestRedis {
    if (this.#server === null) throw new Error('no Redis runs');
    return this.#server;
  }

  /** A replica's store that answers; closed by `closeStores`. */
  async open(options: Partial<ConstructorParameters<typeof RedisBudgetStore>[0]> = {}): Promise<RedisBudgetStore> {
    const store = new RedisBudgetStore({
      client: redisClient({ url: this.server.url, passwordFile: null, caFile: null }),
      deadlineMs: 5_000,
      onProblem: (problem) => this.problems.push(problem),
      ...options,
    });
    this.#stores.push(store);
    await expect.poll(async () => (await store.reserve('probe', []))?.ok).toBe(true);
    this.problems.length = 0;
    return store;
  }

  async run<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(this.server.url);
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  async flush(): Promise<void> {
    await this.run((client) => client.flushall());
  }

  async closeStores(): Promise<void> {
    for (const store of this.#stores.splice(0)) await store.close();
  }

  async remove(): Promise<void> {
    await this.#server?.remove();
  }
}
