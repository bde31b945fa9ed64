import { Draft } from '../scan/draft.ts';
import type { ParsedRequest } from '../types.ts';

/** A call as rules read it when only its model is known: it has no words and no parameters. */
export function wordlessCall(model: string): ParsedRequest {
  const exchange = new Draft().request('other-llm', 'other', Buffer.alloc(0), { model, span: { start: 0, end: 0 } }, 0);
  if (typeof exchange === 'string') throw new Error(exchange);
  return exchange;
}
