import type { Shape } from '../apis/shape/types.ts';
import type { ShapeDocument } from './schema.ts';

/** Compiles a shape; null if the policy has none. */
export function compileShape(document: ShapeDocument | undefined): Shape | null {
  if (document === undefined) return null;
  const { maxOutputTokens = null, reasoning = null, thinkingTokens = null, serviceTier = null } = document;
  return { maxOutputTokens, reasoning, thinkingTokens, serviceTier };
}
