import { createHash } from 'node:crypto';

/**
 * The name of a user in records and budgets: the first 16 hex digits of a SHA-256. It keeps names out of logs; anyone who knows the name
 * can compute the hash, so it is a pseudonym, not anonymous.
 */
export function userHash(user: string): string {
  return createHash('sha256').update(`sluice-user ${user}`).digest('hex').slice(0, 16);
}
