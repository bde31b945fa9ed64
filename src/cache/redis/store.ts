import { randomUUID } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import { limits } from '../../lib/limits.ts';
import { Breaker } from '../../lib/redis/breaker.ts';
import { failed, inTime } from '../../lib/redis/in-time.ts';
import { runScript, script, type Script } from '../../lib/redis/script.ts';
import { matchesFilter } from '../memory.ts';
import type { BackendProblem, RemoteAnswer, RemoteStore } from '../remote.ts';
import type { CacheEntry, PurgeFilter } from '../types.ts';
import { decodeEntry, decodeFacts, encodeEntry } from './codec.ts';
import type { RedisClient } from '../../lib/redis/connect.ts';

export interface RedisStoreOptions {
  readonly client: RedisClient;
  /** Timeout of a lookup, in ms. */
  readonly deadlineMs: number;
  /** Called for every request that Redis did not answer. */
  readonly onProblem: (problem: BackendProblem) => void;
  /** Called when another replica purges. */
  readonly onPurge: (filter: PurgeFilter) => void;
}

/** One round trip: returns the value, or else 1 if this process now leads, or 0 if another does. Both keys are in one slot. */
const lookupScript = script(`
local value = redis.call('GET', KEYS[1])
if value then return value end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0`);
/** Stores a value and ends this process's lead. */
const storeScript = script(`
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1`);
const releaseScript = script(`
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1`);

const prefix = 'sluice:c:';
const purgeChannel = 'sluice:purge';
/** Length of the beginning of a value that holds its facts, in bytes. */
const factsBytes = 16 * 1024;
const scanCount = 500;

const entryKey = (key: string): string => `${prefix}{${key}}`;
const nearKey = (near: string): string => `sluice:n:${near}`;
const leadKey = (key: string): string => `sluice:l:{${key}}`;

/** Answers in a Redis that replicas share. No method rejects; failures are misses and are counted. */
export class RedisStore implements RemoteStore {
  readonly #client: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #options: RedisStoreOptions;
  readonly #breaker = new Breaker();
  readonly #token = randomUUID();
  #writing = 0;

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#subscriber = options.client instanceof Cluster ? options.client.duplicate() : options.client.duplicate();
    for (const client of [this.#client, this.#subscriber]) {
      client.on('error', () => options.onProblem('connection'));
      // The client itself retries a failed first attempt.
      client.connect().catch(() => undefined);
    }
    this.#subscriber.on('ready', () => void this.#subscriber.subscribe(purgeChannel).catch(() => undefined));
    this.#subscriber.on('message', (_channel: string, text: string) => this.#heard(text));
  }

  get up(): boolean {
    return this.#client.status === 'ready' && !this.#breaker.open;
  }

  async lookup(key: string, leadMs: number): Promise<RemoteAnswer> {
    if (this.#client.status !== 'ready' || !this.#breaker.allow()) {
      this.#options.onProblem('down');
      return { kind: 'unavailable' };
    }
    const reply = await this.#within(
      leadMs === 0
        ? this.#client.getBuffer(entryKey(key))
        : this.#whole(this.#eval(lookupScript, key, this.#token, String(leadMs)), () => this.#client.getBuffer(entryKey(key))),
    );
    if (reply === failed) return { kind: 'unavailable' };
    if (!Buffer.isBuffer(reply)) return { kind: leadMs !== 0 && reply === 0 ? 'led' : 'none' };
    const entry = await decodeEntry(reply);
    // A damaged value or one of another version: the next answer replaces it.
    return entry === null || entry.key !== key ? { kind: 'none' } : { kind: 'entry', entry };
  }

  async near(near: string): Promise<string | null> {
    if (!this.up) return null;
    const reply = await this.#within(this.#client.get(nearKey(near)));
    return typeof reply === 'string' ? reply : null;
  }

  store(entry: CacheEntry): void {
    const bytes = entry.body.length;
    if (!this.up || this.#writing + bytes > limits.cacheRedisWriteBytes) {
      this.#options.onProblem('write-dropped');
      return;
    }
    this.#writing += bytes;
    void encodeEntry(entry)
      .then((value) => {
        const keepMs = Math.ceil(entry.keepMs);
        return this.#whole(this.#eval(storeScript, entry.key, this.#token, value, String(keepMs)), () =>
          this.#client.set(entryKey(entry.key), value, 'PX', keepMs),
        );
      })
      .then(() => (entry.near === null ? null : this.#client.set(nearKey(entry.near), entry.key, 'PX', Math.ceil(entry.keepMs))))
      .catch(() => this.#options.onProblem('write-failed'))
      .finally(() => (this.#writing -= bytes));
  }

  release(key: string): void {
    if (this.up) this.#eval(releaseScript, key, this.#token).catch(() => this.#options.onProblem('write-failed'));
  }

  async purge(filter: PurgeFilter): Promise<number> {
    let purged = 0;
    await this.#scan(filter.id, async (node, keys) => {
      const values = await Promise.all(keys.map((key) => node.getrangeBuffer(key, 0, factsBytes - 1)));
      const doomed = keys.filter((_key, index) => {
        const facts = decodeFacts(values[index]!);
        // An unreadable entry is useless, so it is removed.
        return facts === null || matchesFilter(facts, filter, Date.now());
      });
      purged += (await Promise.all(doomed.map((key) => node.unlink(key)))).reduce((sum, count) => sum + count, 0);
    });
    await this.#client.publish(purgeChannel, JSON.stringify(filter)).catch(() => 0);
    return purged;
  }

  async find(id: string): Promise<CacheEntry | null> {
    const found: string[] = [];
    await this.#scan(id, (_node, keys) => {
      found.push(...keys);
      return Promise.resolve();
    });
    const value = found.length === 1 ? await this.#client.getBuffer(found[0]!).catch(() => null) : null;
    return value === null ? null : decodeEntry(value);
  }

  close(): void {
    this.#client.disconnect();
    this.#subscriber.disconnect();
  }

  /** Scans all entries, or those with this key prefix; for administration, not for requests. A Redis failure ends the scan. */
  async #scan(id: string | undefined, visit: (node: Redis, keys: string[]) => Promise<void>): Promise<void> {
    const nodes = this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client];
    try {
      for (const node of nodes) {
        let cursor = '0';
        do {
          const [next, keys] = await node.scan(cursor, 'MATCH', `${prefix}{${id ?? ''}*`, 'COUNT', scanCount);
          if (keys.length > 0) await visit(node, keys);
          cursor = next;
        } while (cursor !== '0');
      }
    } catch {
      this.#options.onProblem('connection');
    }
  }

  /**
   * While a slot migrates between two cluster nodes, no script can access both keys: then only the entry's key is used, and nobody leads.
   */
  async #whole(reply: Promise<unknown>, alone: () => Promise<unknown>): Promise<unknown> {
    try {
      return await reply;
    } catch (error) {
      // The client's error after TRYAGAIN from both nodes.
      if (!(error instanceof Error) || !error.message.startsWith('Too many Cluster redirections')) throw error;
      return alone();
    }
  }

  #eval(what: Script, key: string, ...args: (string | Buffer)[]): Promise<unknown> {
    return runScript(this.#client, 'callBuffer', what, [entryKey(key), leadKey(key)], args);
  }

  /** The reply, or `failed` if it does not come in time. */
  #within<T>(reply: Promise<T>): Promise<T | typeof failed> {
    return inTime(reply, this.#options.deadlineMs, this.#breaker, this.#options.onProblem);
  }

  #heard(text: string): void {
    try {
      const said = JSON.parse(text) as Record<string, unknown>;
      const filter: Record<string, string | number> = {};
      for (const name of ['id', 'workspace', 'model', 'tag']) if (typeof said[name] === 'string') filter[name] = said[name];
      if (typeof said['olderThan'] === 'number') filter['olderThan'] = said['olderThan'];
      this.#options.onPurge(filter);
    } catch {
      // Not a message of Sluice.
    }
  }
}
