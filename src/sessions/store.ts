import { tiers, type Tier } from '../classify/types.ts';
import type { GradedDecision, Grade, GradeSink } from '../grades/types.ts';
import { limits } from '../lib/limits.ts';
import type { SessionState } from './types.ts';

/** Conversations that replicas share. No method rejects; a lookup that is not answered in time counts as unknown. */
export interface RemoteSessions {
  get(key: string): Promise<SessionState | null>;
  put(key: string, state: SessionState, ttlMs: number): void;
  close(): void;
}

interface Entry {
  readonly state: SessionState;
  readonly until: number;
}

/** A grade up to this means that the conversation needs a stronger tier. */
const lowGrade = 0.3;

/**
 * Conversation state: in memory, bounded and kept for a while after the last turn, and in a Redis if replicas share one. Losing it only
 * costs a cheaper turn.
 */
export class Sessions implements GradeSink {
  readonly #remote: RemoteSessions | null;
  readonly #now: () => number;
  /** A Map keeps insertion order: the first entry is the one changed longest ago. */
  readonly #entries = new Map<string, Entry>();

  constructor(remote: RemoteSessions | null, now: () => number = Date.now) {
    this.#remote = remote;
    this.#now = now;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Null if nothing is known. A promise if Redis must be asked: another replica may have answered the last turn. */
  find(key: string): SessionState | null | Promise<SessionState | null> {
    const own = this.#own(key);
    if (this.#remote === null) return own;
    return this.#remote.get(key).then((shared) => newer(own, shared));
  }

  /**
   * Records that a turn needed `tier` (`strong`: the learned router also asked for the stronger model); `before` is the result of `find`.
   */
  turn(key: string, needs: { readonly tier: Tier; readonly strong: boolean }, before: SessionState | null, idleMs: number): void {
    const state: SessionState = before ?? {
      floor: needs.tier,
      strong: false,
      turns: 0,
      last: null,
      cachedTokens: 0,
      cachedUntil: 0,
      at: 0,
    };
    this.#put(
      key,
      { ...state, floor: higher(state.floor, needs.tier), strong: state.strong || needs.strong, turns: state.turns + 1, at: this.#now() },
      idleMs,
    );
  }

  /** Records the turn's answer: who gave it, and what is now in their prompt cache. */
  answered(
    key: string,
    last: NonNullable<SessionState['last']>,
    cached: { readonly tokens: number; readonly ms: number },
    idleMs: number,
  ): void {
    const state = this.#own(key);
    if (state === null) return;
    const at = this.#now();
    this.#put(key, { ...state, last, cachedTokens: cached.tokens, cachedUntil: at + cached.ms, at }, idleMs);
  }

  /** Records a bad answer: the conversation needs the next tier from now on. */
  observe({ score }: Grade, { session, tier }: GradedDecision): void {
    if (session === null || score > lowGrade) return;
    const entry = this.#entries.get(session);
    if (entry === undefined) return;
    const floor = higher(entry.state.floor, tiers[Math.min(tiers.length - 1, tiers.indexOf(tier) + 1)]!);
    if (floor !== entry.state.floor) this.#put(session, { ...entry.state, floor, at: this.#now() }, entry.until - this.#now());
  }

  close(): void {
    this.#remote?.close();
  }

  #own(key: string): SessionState | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (entry.until > this.#now()) return entry.state;
    this.#entries.delete(key);
    return null;
  }

  #put(key: string, state: SessionState, ttlMs: number): void {
    this.#entries.delete(key);
    if (this.#entries.size >= limits.sessions) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, { state, until: this.#now() + ttlMs });
    this.#remote?.put(key, state, ttlMs);
  }
}

export function higher(a: Tier, b: Tier): Tier {
  return tiers.indexOf(a) >= tiers.indexOf(b) ? a : b;
}

/** Merges two replicas' views: the newer one's answer, and the higher floor of both. */
function newer(own: SessionState | null, shared: SessionState | null): SessionState | null {
  if (own === null || shared === null) return own ?? shared;
  const [late, early] = own.at >= shared.at ? [own, shared] : [shared, own];
  return { ...late, floor: higher(late.floor, early.floor), strong: late.strong || early.strong, turns: Math.max(late.turns, early.turns) };
}
