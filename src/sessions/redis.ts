import { z } from 'zod';
import { Breaker } from '../lib/redis/breaker.ts';
import { redisClient, type RedisClient, type RedisTarget } from '../lib/redis/connect.ts';
import { failed, inTime } from '../lib/redis/in-time.ts';
import type { RemoteSessions } from './store.ts';
import type { SessionState } from './types.ts';

export interface RedisSessionsOptions extends RedisTarget {
  /** Maximum time to wait for a conversation, in ms. */
  readonly deadlineMs: number;
}

/** Required members of a value: a Redis may contain anything. */
const shape = z.strictObject({
  floor: z.enum(['simple', 'standard', 'complex']),
  strong: z.boolean(),
  turns: z.int().min(0),
  last: z.strictObject({ provider: z.string(), model: z.string() }).nullable(),
  cachedTokens: z.number().min(0),
  cachedUntil: z.number(),
  at: z.number(),
});

const keyOf = (key: string): string => `sluice:s:{${key}}`;

/** Conversations in a Redis that replicas share. If it is slow or down, no conversation is known and requests continue. */
export class RedisSessions implements RemoteSessions {
  readonly #client: RedisClient;
  readonly #deadlineMs: number;
  readonly #breaker = new Breaker();
  readonly #onProblem: () => void;

  /** Throws SluiceError for an invalid URL or file; connects in the background. */
  constructor(options: RedisSessionsOptions, onProblem: () => void) {
    this.#client = redisClient(options);
    this.#deadlineMs = options.deadlineMs;
    this.#onProblem = onProblem;
    this.#client.on('error', () => this.#onProblem());
    this.#client.connect().catch(() => undefined);
  }

  async get(key: string): Promise<SessionState | null> {
    if (this.#client.status !== 'ready' || !this.#breaker.allow()) return null;
    const text = await inTime(this.#client.get(keyOf(key)), this.#deadlineMs, this.#breaker, this.#onProblem);
    return text === failed || text === null ? null : parse(text);
  }

  put(key: string, state: SessionState, ttlMs: number): void {
    if (this.#client.status !== 'ready' || this.#breaker.open || ttlMs < 1) return;
    this.#client.set(keyOf(key), JSON.stringify(state), 'PX', Math.ceil(ttlMs)).catch(() => this.#failed());
  }

  close(): void {
    this.#client.disconnect();
  }

  #failed(): void {
    this.#breaker.failure();
    this.#onProblem();
  }
}

function parse(text: string): SessionState | null {
  try {
    const read = shape.safeParse(JSON.parse(text));
    return read.success ? read.data : null;
  } catch {
    return null;
  }
}
