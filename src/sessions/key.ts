import { hash } from 'node:crypto';
import type { Exchange } from '../apis/types.ts';
import type { HeaderMap } from '../extproc/types.ts';
import type { SessionKey, SessionSource } from './types.ts';

const digits = 16;
/** Bytes of the first user message that name a conversation. */
const openingBytes = 4 * 1024;

/** Headers by which known clients name a conversation; `x-sluice-session` stands before them. */
export const sessionHeaders = ['x-sluice-session', 'x-session-id', 'x-conversation-id', 'session_id', 'conversation_id', 'helicone-session-id'] as const;

/** The conversation's name in the first header that has one; null: none has. */
export function sessionInHeaders(headers: HeaderMap, more: readonly string[]): string | null {
  for (const name of more) {
    const value = headers.get(name);
    if (value !== undefined && value !== '') return value;
  }
  for (const name of sessionHeaders) {
    const value = headers.get(name);
    if (value !== undefined && value !== '') return value;
  }
  return null;
}

/**
 * The key of a request's conversation: named by a header, by a member of the body, or by its first user message, which every turn of a
 * stateless API repeats. Null: there is nothing to tell it by. Workspaces never share one.
 */
export function sessionKey(workspace: string, named: string | null, exchange: Exchange, body: Buffer): SessionKey | null {
  if (named !== null) return keyOf('header', workspace, named);
  if (exchange.session !== null) return keyOf('body', workspace, exchange.session);
  const { opening } = exchange;
  if (opening === null) return null;
  return keyOf('opening', `${workspace}\0${exchange.api}\0${exchange.toolNames.slice(0, 3).join(' ')}`, body.toString('latin1', opening.start, Math.min(opening.end, opening.start + openingBytes)));
}

function keyOf(source: SessionSource, scope: string, name: string): SessionKey {
  return { key: hash('sha256', `${source}\0${scope}\0${name}`).slice(0, digits), source };
}
