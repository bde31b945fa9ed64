import type { Tier } from '../classify/types.ts';
import type { TargetRef } from '../policy/types.ts';

/** Where a conversation's key is from. Closed list. `opening`: nobody named the conversation; its first user message does. */
export type SessionSource = 'header' | 'body' | 'opening';

/** A conversation's key: a hash, so that no name of an app's is kept. */
export interface SessionKey {
  /** 16 hex digits. */
  readonly key: string;
  readonly source: SessionSource;
}

/** What is remembered of a conversation. */
export interface SessionState {
  /** The highest tier that any of its turns needed. */
  readonly floor: Tier;
  /** The learned router took the stronger model to be needed for one of them. */
  readonly strong: boolean;
  readonly turns: number;
  /** Who answered last; null: no answer has ended yet. */
  readonly last: TargetRef | null;
  /** Input tokens that the last one's provider holds in its prompt cache, and until when, in ms since the epoch. */
  readonly cachedTokens: number;
  readonly cachedUntil: number;
  /** Of the newest change, ms since the epoch. */
  readonly at: number;
}

/** A request's conversation, as a decision sees it. */
export interface SessionView extends SessionKey {
  /** Null: this is its first turn, as far as is known. */
  readonly state: SessionState | null;
}

/** What a decision says of its conversation. */
export interface SessionFacts extends SessionKey {
  /** Counted from 1. */
  readonly turn: number;
  /** Before this turn; null on the first. */
  readonly floor: Tier | null;
  /** This turn alone would have been of a lower tier. */
  readonly raised: boolean;
  /** Who answered the turn before. */
  readonly last: TargetRef | null;
  /** Tokens of this prompt that are reckoned to be in the last one's prompt cache; 0 where they are not. */
  readonly cachedTokens: number;
  /** Another candidate would have been cheaper if the cache were not thrown away. */
  readonly keptForCache: boolean;
}
