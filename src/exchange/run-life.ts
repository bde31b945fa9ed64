import { performance } from 'node:perf_hooks';
import type { PassReason } from '../apis/types.ts';
import type { Later } from '../lib/later.ts';
import { limits } from '../lib/limits.ts';
import { isClosed } from './closed.ts';
import type { RequestContext } from './context.ts';
import { uncounted } from './memory-gate.ts';
import { uncached, type CacheFacts, type HeldBody, type OpenExchange } from './open.ts';
import type { BodyHandler, BodyPlan } from './plans.ts';
import type { RunServices } from './services.ts';

export type Plan = BodyPlan | Later<BodyPlan>;

/** The plan when the client has left. */
const forNobody: BodyPlan = { kind: 'forward' };

/**
 * What every step of a request's run relies on: the body is admitted, awaited values continue it unless the client has left, an error lets
 * the request pass, and memory that Envoy holds for the body is given back once.
 */
export abstract class RunLife implements BodyHandler {
  abstract context: RequestContext;
  protected readonly services: RunServices;
  protected cacheFacts: CacheFacts = uncached;
  /** Start of Sluice's own work: time spent waiting for others does not count. */
  protected enteredAt = 0;
  #awaited = true;
  #clientLeft = false;
  /** Whether the answer is waited for. */
  #opened = false;
  /** Called when the client leaves, to cancel what is pending; null if nothing is. */
  protected leave: (() => void) | null = null;

  readonly #held: HeldBody;

  /** `held`: the body's share of Envoy's memory. */
  constructor(services: RunServices, held: HeldBody) {
    this.services = services;
    this.#held = held;
    services.admission.entered();
  }

  /** The first step: decodes and reads the body. */
  protected abstract decode(body: Buffer): Plan;

  take(body: Buffer, more = false): Plan {
    return this.#leaving(this.#take(body, more));
  }

  /** Envoy holds the body until its request is answered, by Sluice or by the provider. */
  #leaving(plan: Plan): Plan {
    if (plan.kind === 'later') return { ...plan, result: plan.result.then((later) => this.#leaving(later)) };
    if (plan.kind === 'respond') this.#held.release();
    // An open exchange has reported it already.
    else if (!this.#opened) this.#held.forwarded(false);
    return plan;
  }

  #take(body: Buffer, more: boolean): Plan {
    this.#awaited = false;
    this.services.admission.left();
    this.enteredAt = performance.now();
    try {
      // What follows a readable beginning would pass unread.
      if (body.length > limits.requestBodyBytes || (more && isClosed(this.context.section))) return this.unread('too-large');
      // The body waited in the queue too; Envoy may have given up on the request.
      if (!this.services.admission.admits(this.enteredAt)) return this.unread('overload');
      return this.decode(body);
    } catch (error) {
      return this.failed(error);
    }
  }

  /** Nothing was decided, so nothing is recorded. */
  aborted(): void {
    if (this.#awaited) this.services.admission.left();
    this.#awaited = false;
    this.#clientLeft = true;
    this.#held.release();
    this.leave?.();
  }

  unseen(): (() => void) | null {
    const { fill } = this.cacheFacts;
    return fill === null ? null : () => fill.doubt();
  }

  /** Continues when the awaited value arrives, unless the client has left by then; `unused` then releases the value. */
  protected after<T>(coming: Promise<T>, ms: number, next: (value: T) => Plan, unused?: (value: T) => void): Later<BodyPlan> {
    const result = coming
      .then((value): Plan => {
        if (!this.#clientLeft) return next(value);
        unused?.(value);
        this.cacheFacts.fill?.abandon();
        return forNobody;
      })
      .catch((error: unknown) => this.failed(error));
    return { kind: 'later', ms, result };
  }

  /** The request goes on, and `open` waits for its answer. */
  protected forwards(open: OpenExchange): void {
    this.#opened = true;
    this.#held.forwarded(true);
    if (this.#held !== uncounted) open.held = this.#held;
  }

  protected unread(reason: PassReason): BodyPlan {
    return this.services.undecided.unread(this.context, reason);
  }

  protected failed(error: unknown): BodyPlan {
    // Other requests may wait for this answer, which will not arrive here.
    this.cacheFacts.fill?.abandon();
    return this.services.undecided.failed(this.context, error);
  }
}
