import type { CacheHit } from '../../cache/cache.ts';
import type { AnswerPlan, Attempt, AttemptRequest } from '../plans.ts';
import type { FallbackTrigger } from '../../policy/types.ts';

/** What the end of a chain is spared by an old answer: a provider's outage, not the request's own fault. */
export const outageTriggers: ReadonlySet<FallbackTrigger> = new Set<FallbackTrigger>([
  'connect',
  'reset',
  'timeout',
  'server-error',
  'rate-limit',
  'overloaded',
]);

/** The last attempt of a chain that ends in an old answer from the cache: nothing leaves for a provider. */
export class RescueAttempt implements Attempt {
  readonly #hit: CacheHit;

  constructor(hit: CacheHit) {
    this.#hit = hit;
  }

  request(): AttemptRequest {
    const { rendered, age } = this.#hit;
    return {
      kind: 'respond',
      status: 200,
      contentType: rendered.contentType,
      headers: [['age', String(age)]],
      body: rendered.body,
      details: 'sluice_cache_stale',
      metadata: { cache: 'stale', model: this.#hit.entry.model },
    };
  }

  answer(): AnswerPlan {
    return { kind: 'pass' };
  }

  closed(): void {
    return;
  }
}
