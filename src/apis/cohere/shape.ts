import type { Asked } from '../shape/asked.ts';

/** Applies a policy's caps to a chat: only the limit. Cohere has no thinking levels and no service tiers. */
export function shapeCohere(asked: Asked): void {
  const { shape, exchange } = asked;
  const most = shape.maxOutputTokens;
  if (most !== null && (exchange.maxOutputTokens === null || exchange.maxOutputTokens > most))
    asked.change('maxOutputTokens', 'max_tokens', most, exchange.maxOutputTokens);
  for (const part of ['reasoning', 'thinkingTokens', 'serviceTier'] as const) if (shape[part] !== null) asked.leave(part, 'no-place');
}
