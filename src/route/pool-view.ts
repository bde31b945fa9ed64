import type { TargetPool, TargetRef } from '../policy/types.ts';
import type { PoolChoice, Pools } from './pools.ts';

/** The targets of one pool, in the order for one request. */
export interface Pooled {
  readonly order: readonly TargetRef[];
  readonly choice: PoolChoice;
}

export interface PoolViewOptions {
  readonly pools: readonly TargetPool[];
  /** If absent, the policy's order applies. */
  readonly picker: Pick<Pools, 'order'> | undefined;
  readonly stream: boolean;
  /** The key by which a sticky pool keeps requests on one target. */
  readonly sticky: string;
  /** Whether a target can take the request and is not cooling down. */
  readonly usable: (target: TargetRef) => boolean;
}

/** The pools for one request: each picks only once, so a chain that reaches a pool twice gets the same order. */
export class PoolView {
  readonly #options: PoolViewOptions;
  readonly #known = new Map<TargetPool, Pooled | null>();

  constructor(options: PoolViewOptions) {
    this.#options = options;
  }

  /** The pool that a target is in; null if it is in none or no member is usable. */
  of(target: TargetRef): Pooled | null {
    const pool = this.#options.pools.find(({ targets }) =>
      targets.some(({ target: one }) => one.provider === target.provider && one.model === target.model),
    );
    if (pool === undefined) return null;
    let pooled = this.#known.get(pool);
    if (pooled === undefined) this.#known.set(pool, (pooled = this.#pick(pool)));
    return pooled;
  }

  #pick(pool: TargetPool): Pooled | null {
    const { picker, stream, sticky, usable } = this.#options;
    const members = pool.targets.map(({ target }) => target).filter(usable);
    if (members.length === 0) return null;
    const order =
      picker?.order(pool, members, stream, sticky) ??
      members.map((target) => ({ target, weight: pool.targets.find((one) => one.target === target)?.weight ?? 1, latencyMs: null }));
    return { order: order.map(({ target }) => target), choice: { pool: pool.name, pick: pool.pick, order } };
  }
}
