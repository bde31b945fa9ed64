import type { RemoteStore } from '../remote.ts';
import { redisClient, type RedisTarget } from '../../lib/redis/connect.ts';
import { RedisStore, type RedisStoreOptions } from './store.ts';

export interface RedisOptions extends RedisTarget {
  readonly deadlineMs: number;
}

/**
 * Opens a Redis behind the memory. Connects in the background: until it is connected, lookups are misses. Throws SluiceError for a wrong
 * URL or file.
 */
export function openRedis(options: RedisOptions, tell: Pick<RedisStoreOptions, 'onProblem' | 'onPurge'>): RemoteStore {
  return new RedisStore({ client: redisClient(options, true), deadlineMs: options.deadlineMs, ...tell });
}
