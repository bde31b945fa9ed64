import { z } from 'zod';
import { Breaker } from '../lib/redis/breaker.ts';
import { redisClient, type RedisClient, type RedisTarget } from '../lib/redis/connect.ts';
import type { Rollout, RolloutChange } from './rollout.ts';
import type { Trials } from './trials.ts';

export interface FleetOptions extends RedisTarget {
  readonly rollout: Rollout;
  readonly trials: Trials;
  readonly onProblem: () => void;
  /** How often the others are asked after, in ms. */
  readonly intervalMs?: number;
}

/** What becomes of one policy, as servers tell each other. */
const fate = z.object({ stage: z.int().min(0).max(100), verdict: z.enum(['rolling', 'promoted', 'rolled-back']) });
const stopped = z.array(z.string().max(64)).max(100);

const fateKey = (policy: string): string => `sluice:rollout:{${policy}}`;
const stoppedKey = 'sluice:experiments:stopped';
/** A policy's fate is told for so long, in s. */
const keepSeconds = 30 * 24 * 3_600;

/**
 * Servers that share a Redis go through a rollout together: the furthest stage counts for all, and a rollback or a kill switch on one holds on
 * every one within seconds. Each tests its own answers. Without Redis each goes on by itself.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #client: RedisClient;
  readonly #breaker = new Breaker();
  readonly #timer: NodeJS.Timeout;
  /** While what others say is followed, it is not told again. */
  #following = false;

  /** Throws SluiceError for a wrong URL or file; connects in the background. */
  constructor(options: FleetOptions) {
    this.#options = options;
    this.#client = redisClient(options);
    this.#client.on('error', () => options.onProblem());
    this.#client.connect().catch(() => undefined);
    this.#timer = setInterval(() => void this.follow(), options.intervalMs ?? 2_000);
    this.#timer.unref();
  }

  /** Something became of a policy here. */
  tell({ event, policy }: RolloutChange): void {
    // A server that starts anew must not take the others back to the first stage.
    if (this.#following || event === 'began') return;
    const { candidate } = this.#options.rollout.state();
    this.#set(fateKey(policy), JSON.stringify({ stage: candidate?.stage ?? 0, verdict: event === 'advanced' ? 'rolling' : event }));
  }

  /** The experiments that are stopped here by hand. */
  tellStopped(names: readonly string[]): void {
    if (!this.#following) this.#set(stoppedKey, JSON.stringify(names));
  }

  /** Does what other servers have done. Never rejects. */
  async follow(): Promise<void> {
    const { rollout, trials, onProblem } = this.#options;
    if (this.#client.status !== 'ready' || !this.#breaker.allow()) return;
    const { stable, candidate } = rollout.state();
    const policy = candidate?.hash ?? stable.hash;
    try {
      const [told, names] = await Promise.all([this.#client.get(fateKey(policy)), this.#client.get(stoppedKey)]);
      this.#breaker.success();
      this.#following = true;
      this.#take(policy, candidate !== null, told);
      const wanted = names === null ? null : stopped.safeParse(JSON.parse(names));
      if (wanted?.success === true) {
        for (const name of wanted.data) trials.stop(name);
        for (const name of trials.stopped) if (!wanted.data.includes(name)) trials.start(name);
      }
    } catch {
      this.#breaker.failure();
      onProblem();
    } finally {
      this.#following = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#client.disconnect();
  }

  #take(policy: string, rolls: boolean, told: string | null): void {
    const { rollout } = this.#options;
    const read = told === null ? null : fate.safeParse(JSON.parse(told));
    // Meanwhile another policy may have come.
    if (read?.success !== true || (rollout.state().candidate?.hash ?? rollout.stable.hash) !== policy) return;
    const { stage, verdict } = read.data;
    if (verdict === 'rolled-back') rollout.rollback('asked');
    else if (rolls && verdict === 'promoted') rollout.promote();
    else if (rolls) rollout.follow(policy, stage);
  }

  #set(key: string, value: string): void {
    if (this.#client.status !== 'ready' || this.#breaker.open) return;
    this.#client.set(key, value, 'EX', keepSeconds).catch(() => {
      this.#breaker.failure();
      this.#options.onProblem();
    });
  }
}
