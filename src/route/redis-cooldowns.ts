import { randomUUID } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import { redisClient, type RedisClient, type RedisTarget } from '../lib/redis/connect.ts';
import type { TargetRef } from '../policy/types.ts';
import type { CooldownChange, CooldownShare } from './cooldowns.ts';

export interface RedisCooldownOptions extends RedisTarget {
  /** Called with changes from other replicas. */
  readonly onChange: (target: TargetRef, change: CooldownChange) => void;
  /** Called when Redis was unavailable for a change or a question; this replica then uses only what it knows itself. */
  readonly onProblem: () => void;
}

const channel = 'sluice:cooldown';
const restPrefix = 'sluice:k:';
const leadPrefix = 'sluice:kp:';
const scanCount = 200;
/** Longest name accepted from another replica, in UTF-16 units. */
const longestName = 512;

/** A message; `ms` 0 means that the target has recovered. */
interface Message {
  readonly from: string;
  readonly provider: string;
  readonly model: string;
  readonly ms: number;
  readonly lastMs: number;
}

/**
 * Cool-downs in a shared Redis: each is published to the other replicas at once and stored for later ones while it lasts. While Redis is
 * down, every replica uses its own, and catches up when Redis is back.
 */
export class RedisCooldowns implements CooldownShare {
  readonly #client: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #options: RedisCooldownOptions;
  readonly #from = randomUUID();

  /** Connects in the background. Throws SluiceError for a wrong URL or file. */
  constructor(options: RedisCooldownOptions) {
    this.#options = options;
    this.#client = redisClient(options);
    this.#subscriber = this.#client instanceof Cluster ? this.#client.duplicate() : this.#client.duplicate();
    for (const client of [this.#client, this.#subscriber]) {
      client.on('error', () => options.onProblem());
      // The client itself retries a failed first attempt.
      client.connect().catch(() => undefined);
    }
    this.#subscriber.on('ready', () => void this.#subscriber.subscribe(channel).catch(() => undefined));
    this.#subscriber.on('message', (_channel: string, text: string) => this.#heard(text));
    this.#client.on('ready', () => void this.#catchUp());
  }

  tell(target: TargetRef, change: CooldownChange): void {
    const ms = change.kind === 'ok' ? 0 : Math.ceil(change.ms);
    const message: Message = { from: this.#from, ...named(target), ms, lastMs: change.kind === 'ok' ? 0 : change.lastMs };
    const text = JSON.stringify(message);
    const name = keyOf(target);
    const kept = ms === 0 ? this.#client.del(restPrefix + name) : this.#client.set(restPrefix + name, text, 'PX', ms);
    Promise.all([kept, this.#client.del(leadPrefix + name), this.#client.publish(channel, text)]).catch(() => this.#options.onProblem());
  }

  async lead(target: TargetRef, ms: number): Promise<boolean> {
    try {
      return (await this.#client.set(leadPrefix + keyOf(target), this.#from, 'PX', ms, 'NX')) === 'OK';
    } catch {
      this.#options.onProblem();
      return true;
    }
  }

  close(): void {
    this.#client.disconnect();
    this.#subscriber.disconnect();
  }

  /** Loads cool-downs from before this replica started or while it was disconnected. */
  async #catchUp(): Promise<void> {
    const nodes: readonly Redis[] = this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client];
    try {
      for (const node of nodes) {
        let cursor = '0';
        do {
          const [next, keys] = await node.scan(cursor, 'MATCH', `${restPrefix}*`, 'COUNT', scanCount);
          for (const key of keys) {
            const [text, left] = await Promise.all([node.get(key), node.pttl(key)]);
            if (text !== null && left > 0) this.#heard(text, left);
          }
          cursor = next;
        } while (cursor !== '0');
      }
    } catch {
      this.#options.onProblem();
    }
  }

  #heard(text: string, left?: number): void {
    const message = parse(text);
    if (message === null || (left === undefined && message.from === this.#from)) return;
    const { provider, model, lastMs } = message;
    const ms = left ?? message.ms;
    this.#options.onChange({ provider, model }, ms === 0 ? { kind: 'ok' } : { kind: 'rest', ms, lastMs });
  }
}

function named({ provider, model }: TargetRef): Pick<Message, 'provider' | 'model'> {
  return { provider, model };
}

function keyOf({ provider, model }: TargetRef): string {
  return `${provider}/${model}`;
}

/** Null for messages that this version does not write. */
function parse(text: string): Message | null {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof said !== 'object' || said === null) return null;
  const { from, provider, model, ms, lastMs } = said as Readonly<Record<string, unknown>>;
  const names = [from, provider, model].every((name) => typeof name === 'string' && name.length > 0 && name.length <= longestName);
  const times = [ms, lastMs].every((time) => typeof time === 'number' && time >= 0 && Number.isFinite(time));
  return names && times ? (said as Message) : null;
}
