import type { CacheHit } from '../../cache/cache.ts';
import type { AnswerPlan, Attempt, AttemptRequest } from '../plans.ts';
import type { FallbackTrigger } from '../../policy/types.ts';

/** Failures for which a stale answer may be served: provider outages, not errors of the request. */
export const outageTriggers: ReadonlySet<FallbackTrigger> = new Set<FallbackTrigger>([
  'connect',
  'reset',
  'timeout',
  'server-error',
  'rate-limit',
  'overloaded',
]);

/** The last attempt of a chain that ends in a stale answer from the cache: nothing is sent to a provider. */
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
