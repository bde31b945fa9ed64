import { Draft } from '../scan/draft.ts';
import type { ParsedRequest } from '../types.ts';

/** A call of which only the model is known, as rules read calls: it has no words and no parameters. */
export function wordlessCall(model: string): ParsedRequest {
  const exchange = new Draft().request('other-llm', 'other', Buffer.alloc(0), { model, span: { start: 0, end: 0 } }, 0);
  if (typeof exchange === 'string') throw new Error(exchange);
  return exchange;
}
