import { z } from 'zod';
import type { SessionsPolicy } from '../types.ts';
import { names, onOff } from './values.ts';

const sessions = z.strictObject({
  mode: onOff
    .optional()
    .describe(
      'on (default where this stands): a conversation is not sent to a lower tier than its turns needed, and a switch pays for the prompt cache that it throws away',
    ),
  idleMinutes: z
    .number()
    .positive()
    .max(7 * 24 * 60)
    .optional()
    .describe('After so long without a turn it is forgotten; 60 by default'),
  headers: names.optional().describe('Headers that name the conversation, before those that docs/sessions.md lists'),
});

export type SessionsDocument = z.infer<typeof sessions>;

export const sessionsOption = sessions.optional().describe('Conversations; see docs/sessions.md');

const defaultIdleMinutes = 60;

/** Fills in defaults. Null if conversations are not kept together. */
export function compileSessions(document: SessionsDocument | undefined): SessionsPolicy | null {
  if (document === undefined || document.mode === 'off') return null;
  return {
    idleMs: Math.round((document.idleMinutes ?? defaultIdleMinutes) * 60_000),
    headers: (document.headers ?? []).map((name) => name.toLowerCase()),
  };
}
