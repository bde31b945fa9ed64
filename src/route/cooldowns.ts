import { limits } from '../lib/limits.ts';
import type { TargetRef } from '../policy/types.ts';

/** How one attempt at a target ended, as far as its health is concerned. */
export type AttemptHealth =
  | { readonly kind: 'ok' }
  /** No usable answer: counts towards the failure share. */
  | { readonly kind: 'failed' }
  /** 429 or 529: out at once, for as long as the provider says. */
  | { readonly kind: 'limited'; readonly retryAfterMs: number | null }
  /** The model does not exist there: out, and an alert. */
  | { readonly kind: 'dead' }
  /** The gateway's own key was refused: the whole provider is out for requests that need that key. */
  | { readonly kind: 'key-dead' };

/** What other replicas have to know of a target. */
export type CooldownChange =
  | { readonly kind: 'ok' }
  /** It rests for `ms` from now; the next cool-down, if its probe fails, is twice `lastMs`. */
  | { readonly kind: 'rest'; readonly ms: number; readonly lastMs: number };

/** Where replicas tell each other. Nothing here rejects or throws. */
export interface CooldownShare {
  tell(target: TargetRef, change: CooldownChange): void;
  /** Whether this replica is the one that tries the target, for `ms`; true too when nobody can be asked. */
  lead(target: TargetRef, ms: number): Promise<boolean>;
}

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
  /** Whether this replica is the one that tries it; asked for only where there are others. */
  leads: boolean;
  /** When to ask for that again. */
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
/** A probe whose end was never told (its client left) is forgotten after this. */
const probeMs = 60_000;
/** How often a replica asks whether it may try a target that another one was to try. */
const askMs = 1_000;
/** Stands for all models of a provider: a key is the same for all. No model is called so. */
export const anyModel = '*';

/**
 * Which targets rest. A target cools down when its provider says so (429, 529 with Retry-After), when its key or model is dead,
 * or when half of at least ten attempts within 30 s failed. After its time one request tries it: success closes the case, failure
 * doubles the time. With other replicas a cool-down holds for all of them, and one of them sends that request. Bounded by limits.cooldownTargets.
 */
export class Cooldowns {
  readonly #now: () => number;
  readonly #share: CooldownShare | null;
  readonly #targets = new Map<string, Health>();

  /** `now`: milliseconds of a monotonic clock. `share`: the other replicas; null: there are none. */
  constructor(now: () => number = () => performance.now(), share: CooldownShare | null = null) {
    this.#now = now;
    this.#share = share;
  }

  /** Whether a new request should not be sent there. `ownKey`: it would go with the app's own key, so that the gateway's does not matter. */
  cooling(target: TargetRef, ownKey = false): boolean {
    return this.#rests(target) || (!ownKey && this.#rests({ provider: target.provider, model: anyModel }));
  }

  /** An attempt leaves for a target: after a cool-down it is the one that tries it. */
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
    // Whatever came of it, the key was taken.
    if (!ownKey && this.#targets.has(key(provider))) this.#ended(provider, { kind: 'ok' });
  }

  /** Another replica has found out about a target. */
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

  /** Asks in the background: until the answer is there the target still rests for this replica. */
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

  /** Every target that is not in plain use, for the metrics and the admin API. */
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
