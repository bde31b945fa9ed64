import { limits } from '../limits.ts';
import type { TargetRef } from '../policy/types.ts';

/** How one attempt at a target ended, as far as its health is concerned. */
export type AttemptHealth =
  | { readonly kind: 'ok' }
  /** No usable answer: counts towards the failure share. */
  | { readonly kind: 'failed' }
  /** 429 or 529: out at once, for as long as the provider says. */
  | { readonly kind: 'limited'; readonly retryAfterMs: number | null }
  /** The gateway's own key was refused, or the model does not exist there: out, and an alert. */
  | { readonly kind: 'dead' };

export type TargetState = 'ok' | 'cooling' | 'half-open';

interface Health {
  readonly target: TargetRef;
  /** Ends of the last attempts, newest last: true is a failure. */
  readonly ends: { readonly at: number; readonly failed: boolean }[];
  /** Milliseconds on the clock until which nothing is sent; 0: it is in use. */
  until: number;
  /** Length of the last cool-down, doubled when its probe fails too. */
  lastMs: number;
  /** When the one request that tries it after its cool-down left; null: none is on its way. */
  probeAt: number | null;
}

const windowMs = 30_000;
const windowAttempts = 50;
const fewestAttempts = 10;
const failureShare = 0.5;
const baseMs = 15_000;
const limitedMs = 10_000;
const deadMs = 60_000;
const longestMs = 10 * 60_000;
/** A probe whose end was never told (its client left) is forgotten after this. */
const probeMs = 60_000;

/**
 * Which targets rest. A target cools down when its provider says so (429, 529 with Retry-After), when its key or model is dead,
 * or when half of at least ten attempts within 30 s failed. After its time one request tries it: success closes the case, failure
 * doubles the time. Bounded by limits.cooldownTargets.
 */
export class Cooldowns {
  readonly #now: () => number;
  readonly #targets = new Map<string, Health>();

  /** `now`: milliseconds of a monotonic clock. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether a new request should not be sent there. */
  cooling(target: TargetRef): boolean {
    const health = this.#targets.get(key(target));
    if (health === undefined || health.until === 0) return false;
    const now = this.#now();
    if (now < health.until) return true;
    return health.probeAt !== null && now - health.probeAt < probeMs;
  }

  /** An attempt leaves for a target: after a cool-down it is the one that tries it. */
  began(target: TargetRef): void {
    const health = this.#targets.get(key(target));
    if (health !== undefined && health.until !== 0 && this.#now() >= health.until) health.probeAt = this.#now();
  }

  ended(target: TargetRef, end: AttemptHealth): void {
    const known = this.#targets.get(key(target));
    if (known === undefined && end.kind === 'ok') return;
    const health = known ?? this.#add(target);
    const now = this.#now();
    const probed = health.probeAt !== null;
    health.probeAt = null;
    switch (end.kind) {
      case 'ok':
        if (health.until !== 0 && now >= health.until) {
          health.until = 0;
          health.lastMs = 0;
          health.ends.length = 0;
        }
        note(health, now, false);
        return;
      case 'failed':
        note(health, now, true);
        if (probed && health.until !== 0) rest(health, now, Math.min(longestMs, health.lastMs * 2));
        else if (tooMany(health)) rest(health, now, baseMs);
        return;
      case 'limited':
        rest(health, now, Math.min(longestMs, end.retryAfterMs ?? limitedMs));
        return;
      case 'dead':
        rest(health, now, deadMs);
    }
  }

  /** Every target that is not in plain use, for the metrics and the admin API. */
  states(): { readonly target: TargetRef; readonly state: TargetState; readonly remainingMs: number }[] {
    const now = this.#now();
    return [...this.#targets.values()]
      .filter(({ until }) => until !== 0)
      .map(({ target, until }) => ({ target, state: now < until ? ('cooling' as const) : ('half-open' as const), remainingMs: Math.max(0, until - now) }));
  }

  #add(target: TargetRef): Health {
    if (this.#targets.size >= limits.cooldownTargets) {
      const oldest = this.#targets.keys().next();
      if (oldest.done !== true) this.#targets.delete(oldest.value);
    }
    const health: Health = { target, ends: [], until: 0, lastMs: 0, probeAt: null };
    this.#targets.set(key(target), health);
    return health;
  }
}

function key({ provider, model }: TargetRef): string {
  return `${provider}/${model}`;
}

function note(health: Health, at: number, failed: boolean): void {
  health.ends.push({ at, failed });
  while (health.ends.length > windowAttempts || (health.ends[0] !== undefined && at - health.ends[0].at > windowMs)) health.ends.shift();
}

function tooMany({ ends }: Health): boolean {
  return ends.length >= fewestAttempts && ends.filter(({ failed }) => failed).length >= ends.length * failureShare;
}

function rest(health: Health, now: number, ms: number): void {
  health.until = Math.max(health.until, now + ms);
  health.lastMs = ms;
}
