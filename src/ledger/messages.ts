import type { Checkpoint, RestingChain } from './types.ts';
import type { DecisionsQuery } from './query.ts';
import type { Retention } from './sqlite/store.ts';
import type { LedgerTarget } from './target.ts';

/** Start data of the worker threads. */
export type LedgerWorkerData =
  | {
      readonly role: 'writer';
      readonly target: LedgerTarget;
      readonly version: string;
      readonly retention: Retention;
      /** PEM of an Ed25519 key; null to leave checkpoints unsigned. */
      readonly signingKey: string | null;
      readonly checkpointMs: number;
      readonly pruneMs: number;
      /** The chain to continue; null to begin one, or to report that this is not possible. */
      readonly resume: RestingChain | null;
    }
  | { readonly role: 'reader'; readonly target: LedgerTarget };

/** Sent to the writer's thread. `lines`: two lines of JSON in UTF-8 for each row, its head and its body (entry.ts). */
export type WriterRequest =
  | { readonly kind: 'append'; readonly lines: Uint8Array<ArrayBuffer>; readonly count: number; readonly dropped: number }
  | { readonly kind: 'close' };

/** Sent from the writer's thread. */
export type WriterReply =
  | { readonly kind: 'ready' }
  /** The file was missing and was created again. */
  | { readonly kind: 'remade' }
  /** The database cannot be reached at the start; `ready` follows later. */
  | { readonly kind: 'away'; readonly message: string }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'written'; readonly count: number; readonly bytes: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'pruned'; readonly rows: number }
  | { readonly kind: 'closed' };

/** Sent to the reader's thread, one per query. */
export type LedgerQuestion =
  | { readonly kind: 'decisions'; readonly query: DecisionsQuery }
  | { readonly kind: 'record'; readonly id: string }
  | { readonly kind: 'grades'; readonly id: string }
  /** Lengths of the newest answers since a moment, the oldest first. */
  | { readonly kind: 'lengths'; readonly from: number; readonly limit: number }
  | {
      readonly kind: 'savings';
      readonly from: number;
      readonly to: number;
      readonly by: readonly string[];
      readonly where?: readonly string[];
      readonly limit: number;
      readonly shadow?: boolean;
    };

export interface ReaderRequest {
  readonly id: number;
  readonly question: LedgerQuestion;
}

export type ReaderReply =
  | { readonly id: number; readonly ok: true; readonly answer: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly where: string | undefined;
      readonly fix: string;
    };
