import type { Tier } from '../classify/types.ts';
import type { TargetRef } from '../policy/types.ts';

/** The source of a conversation's key. Closed list. `opening`: the conversation has no name; its first user message identifies it. */
export type SessionSource = 'header' | 'body' | 'opening';

/** A conversation's key: a hash, so that no name from an app is stored. */
export interface SessionKey {
  /** 16 hex digits. */
  readonly key: string;
  readonly source: SessionSource;
}

/** Stored state of a conversation. */
export interface SessionState {
  /** The highest tier that any of its turns needed. */
  readonly floor: Tier;
  /** The learned router asked for the stronger model for one of them. */
  readonly strong: boolean;
  readonly turns: number;
  /** Who answered last; null if no answer has ended yet. */
  readonly last: TargetRef | null;
  /** Input tokens in the prompt cache of the last answer's provider, and until when, in ms since the epoch. */
  readonly cachedTokens: number;
  readonly cachedUntil: number;
  /** Time of the newest change, ms since the epoch. */
  readonly at: number;
}

/** A request's conversation, as a decision sees it. */
export interface SessionView extends SessionKey {
  /** Null if this is its first turn, as far as is known. */
  readonly state: SessionState | null;
}

/** A decision's record of its conversation. */
export interface SessionFacts extends SessionKey {
  /** Counted from 1. */
  readonly turn: number;
  /** Before this turn; null on the first. */
  readonly floor: Tier | null;
  /** This turn alone would have had a lower tier. */
  readonly raised: boolean;
  /** Who answered the turn before. */
  readonly last: TargetRef | null;
  /** Estimated tokens of this prompt in the last provider's prompt cache; 0 if none. */
  readonly cachedTokens: number;
  /** Another candidate would have been cheaper if changing to it did not lose the cache. */
  readonly keptForCache: boolean;
}
