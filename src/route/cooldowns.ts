import { limits } from '../lib/limits.ts';
import type { TargetRef } from '../policy/types.ts';

/** How one attempt at a target ended, for its health. */
export type AttemptHealth =
  | { readonly kind: 'ok' }
  /** No usable answer; counts towards the failure share. */
  | { readonly kind: 'failed' }
  /** 429 or 529: cools down at once, for as long as the provider says. */
  | { readonly kind: 'limited'; readonly retryAfterMs: number | null }
  /** The model does not exist at this provider: cools down and raises an alert. */
  | { readonly kind: 'dead' }
  /** The gateway's own key was refused: the whole provider cools down for requests that need this key. */
  | { readonly kind: 'key-dead' };

/** A change of a target's health that is shared with other replicas. */
export type CooldownChange =
  | { readonly kind: 'ok' }
  /** It cools down for `ms` from now; if its probe fails, the next cool-down is twice `lastMs`. */
  | { readonly kind: 'rest'; readonly ms: number; readonly lastMs: number };

/** Shares cool-downs between replicas. No method rejects or throws. */
export interface CooldownShare {
  tell(target: TargetRef, change: CooldownChange): void;
  /** Whether this replica may probe the target, for `ms`; also true if no other replica can be asked. */
  lead(target: TargetRef, ms: number): Promise<boolean>;
}

export type TargetState = 'ok' | 'cooling' | 'half-open';

interface Health {
  readonly target: TargetRef;
  /** Results of the last attempts, newest last; `failed` is true for a failure. */
  readonly ends: { readonly at: number; readonly failed: boolean }[];
  /** Clock time in ms until which nothing is sent; 0 if the target is in use. */
  until: number;
  /** Length of the last cool-down, in ms; doubled when the probe fails too. */
  lastMs: number;
  /** When the probe request after the cool-down was sent; null if no probe is in flight. */
  probeAt: number | null;
  /** Whether this replica is the one that probes; asked only when there are other replicas. */
  leads: boolean;
  /** When to ask for the lead again. */
  askAt: number;
}

const windowMs = 30_000;
const windowAttempts = 50;
const fewestAttempts = 10;
const failureShare = 0.5;
const baseMs = 15_000;
const limitedMs = 10_000;
const deadMs = 60_000;
const longestMs = 10 * 60_000;
/** A probe whose result was never reported (its client left) is forgotten after this. */
const probeMs = 60_000;
/** How often a replica asks whether it may probe a target that another replica was to probe. */
const askMs = 1_000;
/** Means all models of a provider, since a key is the same for all. No model has this name. */
export const anyModel = '*';

/**
 * Tracks which targets are cooling down. A target cools down when its provider says so (429, 529 with Retry-After), when its key or model
 * is dead, or when half of at least ten attempts within 30 s failed. After the cool-down one request probes it: success ends the cool-down,
 * failure doubles it. With other replicas a cool-down applies to all of them, and one of them sends the probe. Bounded by
 * limits.cooldownTargets.
 */
export class Cooldowns {
  readonly #now: () => number;
  readonly #share: CooldownShare | null;
  readonly #targets = new Map<string, Health>();

  /** `now`: milliseconds of a monotonic clock. `share`: the other replicas; null if there are none. */
  constructor(now: () => number = () => performance.now(), share: CooldownShare | null = null) {
    this.#now = now;
    this.#share = share;
  }

  /** Whether new requests should avoid this target. `ownKey`: the request uses the app's own key, so the gateway's key does not matter. */
  cooling(target: TargetRef, ownKey = false): boolean {
    return this.#rests(target) || (!ownKey && this.#rests({ provider: target.provider, model: anyModel }));
  }

  /** An attempt at a target starts; after a cool-down it becomes the probe. */
  began(target: TargetRef, ownKey = false): void {
    const now = this.#now();
    for (const one of ownKey ? [target] : [target, { provider: target.provider, model: anyModel }]) {
      const health = this.#targets.get(key(one));
      if (health !== undefined && health.until !== 0 && now >= health.until) health.probeAt = now;
    }
  }

  ended(target: TargetRef, end: AttemptHealth, ownKey = false): void {
    const provider = { provider: target.provider, model: anyModel };
    if (end.kind === 'key-dead') {
      this.#ended(provider, { kind: 'dead' });
      return;
    }
    this.#ended(target, end);
    // Whatever the result, the provider accepted the key.
    if (!ownKey && this.#targets.has(key(provider))) this.#ended(provider, { kind: 'ok' });
  }

  /** Applies a change that another replica reported. */
  heard(target: TargetRef, change: CooldownChange): void {
    const known = this.#targets.get(key(target));
    if (change.kind === 'ok') {
      if (known !== undefined) reset(known);
      return;
    }
    rest(known ?? this.#add(target), this.#now(), Math.min(longestMs, change.ms), Math.min(longestMs, change.lastMs));
  }

  #rests(target: TargetRef): boolean {
    const health = this.#targets.get(key(target));
    if (health === undefined || health.until === 0) return false;
    const now = this.#now();
    if (now < health.until) return true;
    if (health.probeAt !== null) {
      if (now - health.probeAt < probeMs) return true;
      health.probeAt = null;
      health.leads = false;
    }
    return this.#share !== null && !this.#leads(health, now, this.#share);
  }

  /** Asks in the background; until the answer arrives, this replica treats the target as cooling down. */
  #leads(health: Health, now: number, share: CooldownShare): boolean {
    if (health.leads) return true;
    if (now >= health.askAt) {
      health.askAt = now + askMs;
      const { until } = health;
      void share.lead(health.target, probeMs).then((won) => {
        if (won && health.until === until) health.leads = true;
      });
    }
    return false;
  }

  #ended(target: TargetRef, end: Exclude<AttemptHealth, { readonly kind: 'key-dead' }>): void {
    const known = this.#targets.get(key(target));
    if (known === undefined && end.kind === 'ok') return;
    const health = known ?? this.#add(target);
    const now = this.#now();
    const probed = health.probeAt !== null;
    health.probeAt = null;
    switch (end.kind) {
      case 'ok':
        if (health.until !== 0 && now >= health.until) {
          reset(health);
          this.#share?.tell(target, { kind: 'ok' });
        }
        note(health, now, false);
        return;
      case 'failed':
        note(health, now, true);
        if (probed && health.until !== 0) this.#rest(health, now, Math.min(longestMs, health.lastMs * 2));
        else if (tooMany(health)) this.#rest(health, now, baseMs);
        return;
      case 'limited':
        this.#rest(health, now, Math.min(longestMs, end.retryAfterMs ?? limitedMs));
        return;
      case 'dead':
        this.#rest(health, now, deadMs);
    }
  }

  /** Every target that is not in normal use, for the metrics and the admin API. */
  states(): { readonly target: TargetRef; readonly state: TargetState; readonly remainingMs: number }[] {
    const now = this.#now();
    return [...this.#targets.values()]
      .filter(({ until }) => until !== 0)
      .map(({ target, until }) => ({
        target,
        state: now < until ? ('cooling' as const) : ('half-open' as const),
        remainingMs: Math.max(0, until - now),
      }));
  }

  #rest(health: Health, now: number, ms: number): void {
    rest(health, now, ms, ms);
    this.#share?.tell(health.target, { kind: 'rest', ms, lastMs: ms });
  }

  #add(target: TargetRef): Health {
    if (this.#targets.size >= limits.cooldownTargets) {
      const oldest = this.#targets.keys().next();
      if (oldest.done !== true) this.#targets.delete(oldest.value);
    }
    const health: Health = { target, ends: [], until: 0, lastMs: 0, probeAt: null, leads: false, askAt: 0 };
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

function rest(health: Health, now: number, ms: number, lastMs: number): void {
  health.until = Math.max(health.until, now + ms);
  health.lastMs = lastMs;
  health.probeAt = null;
  health.leads = false;
  health.askAt = 0;
}

function reset(health: Health): void {
  health.until = 0;
  health.lastMs = 0;
  health.ends.length = 0;
  health.probeAt = null;
  health.leads = false;
  health.askAt = 0;
}
