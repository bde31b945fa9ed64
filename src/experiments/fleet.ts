import { z } from 'zod';
import { Breaker } from '../lib/redis/breaker.ts';
import { redisClient, type RedisClient, type RedisTarget } from '../lib/redis/connect.ts';
import { runScript, script } from '../lib/redis/script.ts';
import type { Rollout, RolloutChange } from './rollout.ts';
import type { Trials } from './trials.ts';

export interface FleetOptions extends RedisTarget {
  readonly rollout: Rollout;
  readonly trials: Trials;
  readonly onProblem: () => void;
  /** Polling interval for the other servers' state, in ms. */
  readonly intervalMs?: number;
}

/** The state of one policy, as shared between servers. */
const fate = z.object({ stage: z.int().min(0).max(100), verdict: z.enum(['rolling', 'promoted', 'rolled-back']) });
const stopped = z.array(z.string().max(64)).max(100);

const fateKey = (policy: string): string => `sluice:rollout:{${policy}}`;
const stoppedKey = 'sluice:experiments:stopped';
/**
 * Sets the state of a policy unless there is a further one: a promotion is further than any stage, a rollback than a promotion. Servers that
 * write at the same time then leave the same, whoever is last.
 */
const fateScript = script(`
local ranks = { rolling = 0, promoted = 1000, ['rolled-back'] = 2000 }
local function rank(text)
  local good, fate = pcall(cjson.decode, text)
  if not good or type(fate) ~= 'table' or type(fate.stage) ~= 'number' then return -1 end
  return (ranks[fate.verdict] or -1000) + fate.stage
end
local there = redis.call('GET', KEYS[1])
if there and rank(there) > rank(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
`);
/** How long a policy's state is kept, in s. */
const keepSeconds = 30 * 24 * 3_600;

/**
 * Servers that share a Redis go through a rollout together: the furthest stage counts for all, and a rollback or a kill switch on one
 * applies to every one within seconds. Each tests its own answers. Without Redis each server proceeds on its own.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #client: RedisClient;
  readonly #breaker = new Breaker();
  readonly #timer: NodeJS.Timeout;
  /** While applying other servers' state, do not publish it again. */
  #following = false;

  /** Connects in the background. Throws SluiceError for an invalid URL or file. */
  constructor(options: FleetOptions) {
    this.#options = options;
    this.#client = redisClient(options);
    this.#client.on('error', () => options.onProblem());
    this.#client.connect().catch(() => undefined);
    this.#timer = setInterval(() => void this.follow(), options.intervalMs ?? 2_000);
    this.#timer.unref();
  }

  /** Publishes a change of a policy on this server. */
  tell({ event, policy }: RolloutChange): void {
    // A restarted server must not take the others back to the first stage.
    if (this.#following || event === 'began') return;
    const { candidate } = this.#options.rollout.state();
    const fate = JSON.stringify({ stage: candidate?.stage ?? 0, verdict: event === 'advanced' ? 'rolling' : event });
    this.#send(() => runScript(this.#client, 'call', fateScript, [fateKey(policy)], [fate, String(keepSeconds)]));
  }

  /** Publishes the experiments stopped by hand on this server. */
  tellStopped(names: readonly string[]): void {
    if (!this.#following) this.#send(() => this.#client.set(stoppedKey, JSON.stringify(names), 'EX', keepSeconds));
  }

  /** Applies the other servers' state. Never rejects. */
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
    // Another policy may have arrived meanwhile.
    if (read?.success !== true || (rollout.state().candidate?.hash ?? rollout.stable.hash) !== policy) return;
    const { stage, verdict } = read.data;
    if (verdict === 'rolled-back') rollout.rollback('asked');
    else if (rolls && verdict === 'promoted') rollout.promote();
    else if (rolls) rollout.follow(policy, stage);
  }

  #send(write: () => Promise<unknown>): void {
    if (this.#client.status !== 'ready' || this.#breaker.open) return;
    write().catch(() => {
      this.#breaker.failure();
      this.#options.onProblem();
    });
  }
}
