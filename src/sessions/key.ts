import { hash } from 'node:crypto';
import type { ParsedRequest } from '../apis/types.ts';
import type { SessionKey, SessionSource } from './types.ts';

const digits = 16;
/** Bytes of the first user message that identify a conversation. */
const openingBytes = 4 * 1024;

/** Headers in which known clients name a conversation; `x-sluice-session` comes before them. */
export const sessionHeaders = [
  'x-sluice-session',
  'x-session-id',
  'x-conversation-id',
  'session_id',
  'conversation_id',
  'helicone-session-id',
] as const;

/** The conversation's name from the first header that has one; null if none has. `said`: the first of some headers with a valid value. */
export function sessionInHeaders(said: (names: readonly string[]) => string | undefined, more: readonly string[]): string | null {
  return (more.length === 0 ? undefined : said(more)) ?? said(sessionHeaders) ?? null;
}

/**
 * The key of a request's conversation: named by a header, by a member of the body, or by its first user message, which every turn of a
 * stateless API repeats. Null if nothing identifies it. Workspaces never share a key. `believed`: whether a name in the body counts.
 */
export function sessionKey(
  workspace: string,
  named: string | null,
  exchange: ParsedRequest,
  body: Buffer,
  believed = true,
): SessionKey | null {
  if (named !== null) return keyOf('header', workspace, named);
  if (exchange.session !== null && believed) return keyOf('body', workspace, exchange.session);
  const { opening } = exchange;
  if (opening === null) return null;
  return keyOf(
    'opening',
    `${workspace}\0${exchange.api}\0${exchange.toolNames.slice(0, 3).join(' ')}`,
    body.toString('latin1', opening.start, Math.min(opening.end, opening.start + openingBytes)),
  );
}

function keyOf(source: SessionSource, scope: string, name: string): SessionKey {
  return { key: hash('sha256', `${source}\0${scope}\0${name}`).slice(0, digits), source };
}
