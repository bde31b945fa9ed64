import { createHash } from 'node:crypto';

/**
 * The name under which a user stands in records and budgets: the first 16 hex digits of a SHA-256. It keeps names out of
 * logs; whoever knows a name can make the hash, so it is a pseudonym and no anonymity.
 */
export function userHash(user: string): string {
  return createHash('sha256').update(`sluice-user ${user}`).digest('hex').slice(0, 16);
}
