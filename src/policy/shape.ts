import type { Shape } from '../apis/shape/types.ts';
import type { ShapeDocument } from './schema.ts';

/** A shape as the policy says it; null: it says none. */
export function compileShape(document: ShapeDocument | undefined): Shape | null {
  if (document === undefined) return null;
  const { maxOutputTokens = null, reasoning = null, thinkingTokens = null, serviceTier = null } = document;
  return { maxOutputTokens, reasoning, thinkingTokens, serviceTier };
}
