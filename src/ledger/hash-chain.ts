import { createHash, hash, sign, verify, type KeyObject } from 'node:crypto';
import type { Checkpoint, EntryKind } from './types.ts';

/** The initial hash of a writer's chain. */
export function genesis(writer: string): Buffer {
  return createHash('sha256').update(`sluice-ledger-1 ${writer}`).digest();
}

/**
 * Hash of a row's content. The salt is erased with the content: without it the remaining hash reveals nothing about the content, even to
 * somebody who guesses it.
 */
export function contentHash(salt: Uint8Array, body: string): Buffer {
  return saltedHash(Buffer.concat([salt, Buffer.from(body)]));
}

/** The same, of a salt and a content in UTF-8 that already lie one behind the other. */
export function saltedHash(saltAndBody: Uint8Array): Buffer {
  return hash('sha256', saltAndBody, 'buffer');
}

const hashBytes = 32;

/** What a row's hash covers; the text between the two hashes is two numbers and a kind. */
const mostText = 64;
const covered = Buffer.alloc(2 * hashBytes + 3 * mostText);

/** Hash of a row: covers the previous row's hash, and this row's number, kind, time and content hash. */
export function rowHash(previous: Uint8Array, seq: number, kind: EntryKind, at: number, content: Uint8Array): Buffer {
  const text = `${seq} ${kind} ${at}\n`;
  // Rows read from a ledger may hold anything.
  if (previous.length !== hashBytes || content.length !== hashBytes || text.length > mostText)
    return createHash('sha256').update(previous).update(text).update(content).digest();
  covered.set(previous, 0);
  const end = hashBytes + covered.write(text, hashBytes, 'utf8');
  covered.set(content, end);
  return hash('sha256', covered.subarray(0, end + hashBytes), 'buffer');
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
