import type { SessionsDocument } from './schema.ts';
import type { SessionsPolicy } from './types.ts';

const defaultIdleMinutes = 60;

/** Fills in defaults. Null if conversations are not kept together. */
export function compileSessions(document: SessionsDocument | undefined): SessionsPolicy | null {
  if (document === undefined || document.mode === 'off') return null;
  return {
    idleMs: Math.round((document.idleMinutes ?? defaultIdleMinutes) * 60_000),
    headers: (document.headers ?? []).map((name) => name.toLowerCase()),
  };
}
