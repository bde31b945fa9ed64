import { createHash, sign, verify, type KeyObject } from 'node:crypto';
import type { Checkpoint, EntryKind } from './types.ts';

/** Where a writer's chain begins. */
export function genesis(writer: string): Buffer {
  return createHash('sha256').update(`sluice-ledger-1 ${writer}`).digest();
}

/**
 * Hash of a row's content. The salt goes with the content when it is erased: without it the hash that stays says nothing
 * about what the content was, not even to somebody who guesses it.
 */
export function contentHash(salt: Uint8Array, body: string): Buffer {
  return createHash('sha256').update(salt).update(body).digest();
}

/** Hash of a row: of the row before it, its own place, kind and time, and its content's hash. */
export function rowHash(previous: Uint8Array, seq: number, kind: EntryKind, at: number, content: Uint8Array): Buffer {
  return createHash('sha256').update(previous).update(`${seq} ${kind} ${at}\n`).update(content).digest();
}

function checkpointText({ writer, seq, hash, at }: Omit<Checkpoint, 'signature'>): Buffer {
  return Buffer.from(`sluice-checkpoint-1 ${writer} ${seq} ${hash} ${at}`);
}

/** Signs with an Ed25519 key; without one the checkpoint stays unsigned. */
export function signCheckpoint(checkpoint: Omit<Checkpoint, 'signature'>, key: KeyObject | null): Checkpoint {
  return { ...checkpoint, signature: key === null ? null : sign(null, checkpointText(checkpoint), key).toString('base64') };
}

/** Whether a checkpoint carries this key's signature. */
export function signatureHolds(checkpoint: Checkpoint, publicKey: KeyObject): boolean {
  return checkpoint.signature !== null && verify(null, checkpointText(checkpoint), publicKey, Buffer.from(checkpoint.signature, 'base64'));
}
