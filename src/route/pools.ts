import { createHash } from 'node:crypto';
import { limits } from '../lib/limits.ts';
import type { PoolPick, TargetPool, TargetRef } from '../policy/types.ts';

/** A pool member at the time of the pick, for the record. */
export interface PooledTarget {
  readonly target: TargetRef;
  readonly weight: number;
  /** Mean time to the first byte of its answers in ms, weighted to newer ones; null if unknown or too old. */
  readonly latencyMs: number | null;
}

/** Which pool picked the target of a request, and its order of members. */
export interface PoolChoice {
  readonly pool: string;
  readonly pick: PoolPick;
  readonly order: readonly PooledTarget[];
}

interface Latency {
  ms: number;
  at: number;
  /** When it was last picked in order to be measured again. */
  askedAt: number;
}

/** Weight of the newest measurement in the mean. */
const newest = 0.3;
/** Measurements older than this are ignored, in ms. */
const staleMs = 60_000;
/** Time in which only one request re-measures a member, in ms. */
const askMs = 5_000;

/** Picks among equal targets. Tracks recent latencies and turns, per process. */
export class Pools {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #latencies = new Map<string, Latency>();
  /** Turns by pool; a new policy starts from scratch. */
  readonly #turns = new WeakMap<TargetPool, Map<string, number>>();

  /** `now`: milliseconds of a monotonic clock. `random`: in [0, 1). */
  constructor(now: () => number = () => performance.now(), random: () => number = Math.random) {
    this.#now = now;
    this.#random = random;
  }

  /** Records that a target's answer started after `ms`. Streams start sooner than whole answers, so they are measured separately. */
  measured(target: TargetRef, stream: boolean, ms: number): void {
    const key = keyOf(target, stream);
    const known = this.#latencies.get(key);
    const now = this.#now();
    if (known !== undefined) {
      known.ms = now - known.at > staleMs ? ms : known.ms + newest * (ms - known.ms);
      known.at = now;
      return;
    }
    if (this.#latencies.size >= limits.cooldownTargets) {
      const oldest = this.#latencies.keys().next();
      if (oldest.done !== true) this.#latencies.delete(oldest.value);
    }
    this.#latencies.set(key, { ms, at: now, askedAt: -Infinity });
  }

  /** The members in the order they are tried. `sticky`: the key for a sticky pick. */
  order(pool: TargetPool, members: readonly TargetRef[], stream: boolean, sticky: string): PooledTarget[] {
    const pooled = members.map((target): PooledTarget => {
      const weight = pool.targets.find((one) => one.target.provider === target.provider && one.target.model === target.model)?.weight ?? 1;
      const latency = this.#latencies.get(keyOf(target, stream));
      return { target, weight, latencyMs: latency === undefined || this.#now() - latency.at > staleMs ? null : latency.ms };
    });
    switch (pool.pick) {
      case 'weighted':
        return byScore(pooled, ({ weight }) => drawn(this.#random(), weight));
      case 'sticky':
        return byScore(pooled, ({ target, weight }) => drawn(share(`${sticky}\n${keyOf(target, false)}`), weight));
      case 'round-robin':
        return this.#byTurn(pool, pooled);
      case 'least-latency':
        return this.#byLatency(pooled, stream);
    }
  }

  /** Smooth weighted round robin: a member of weight 3 gets three of four turns beside one of weight 1, evenly spread. */
  #byTurn(pool: TargetPool, pooled: readonly PooledTarget[]): PooledTarget[] {
    let turns = this.#turns.get(pool);
    if (turns === undefined) this.#turns.set(pool, (turns = new Map<string, number>()));
    const credit = new Map<PooledTarget, number>();
    let total = 0;
    for (const one of pooled) {
      total += one.weight;
      credit.set(one, (turns.get(keyOf(one.target, false)) ?? 0) + one.weight);
    }
    const order = byScore(pooled, (one) => -(credit.get(one) ?? 0));
    for (const [at, one] of order.entries()) turns.set(keyOf(one.target, false), (credit.get(one) ?? 0) - (at === 0 ? total : 0));
    return order;
  }

  /** The fastest first; a member with unknown latency occasionally gets a request to measure it. */
  #byLatency(pooled: readonly PooledTarget[], stream: boolean): PooledTarget[] {
    const now = this.#now();
    const order = byScore(pooled, ({ target, latencyMs }) => {
      if (latencyMs !== null) return latencyMs;
      const known = this.#latencies.get(keyOf(target, stream));
      return known !== undefined && now - known.askedAt < askMs ? Infinity : -1;
    });
    const [first] = order;
    if (first?.latencyMs === null) {
      const key = keyOf(first.target, stream);
      const known = this.#latencies.get(key);
      if (known !== undefined) known.askedAt = now;
      else {
        this.measured(first.target, stream, 0);
        const made = this.#latencies.get(key);
        // Nothing has been measured yet: only record when it was asked.
        if (made !== undefined) Object.assign(made, { at: -Infinity, askedAt: now });
      }
    }
    return order;
  }
}

/** Exponential variate: the probability of being the smallest is proportional to the weight. */
function drawn(uniform: number, weight: number): number {
  return -Math.log(1 - uniform) / weight;
}

/** Maps a text to [0, 1), the same in every process. */
function share(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/** Lowest first; ties keep the policy's order. */
function byScore(pooled: readonly PooledTarget[], score: (one: PooledTarget) => number): PooledTarget[] {
  return pooled
    .map((one) => ({ one, by: score(one) }))
    .sort((a, b) => (a.by === b.by ? 0 : a.by - b.by))
    .map(({ one }) => one);
}

function keyOf({ provider, model }: TargetRef, stream: boolean): string {
  return `${provider}/${model}${stream ? ' ≈' : ''}`;
}
