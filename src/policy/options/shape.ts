import { z } from 'zod';
import { shapeEfforts, type Shape } from '../../apis/shape/types.ts';
import { limits } from '../../lib/limits.ts';

export const shape = z
  .strictObject({
    maxOutputTokens: z.int().min(16).max(limits.outputTokens).optional().describe('Most output tokens'),
    reasoning: z.enum(shapeEfforts).optional().describe('Most reasoning effort, or as many tokens as translations take for it'),
    thinkingTokens: z
      .int()
      .min(1)
      .max(limits.outputTokens)
      .optional()
      .describe('Most tokens to think with, where the API takes such a number (Anthropic, Gemini)'),
    serviceTier: z.enum(['flex']).optional().describe('flex: the cheaper, slower tier, where the model has one'),
  })
  .refine(
    (value) => Object.values(value).some((part) => part !== undefined),
    'say at least one of maxOutputTokens, reasoning, thinkingTokens, serviceTier',
  );

export type ShapeDocument = z.infer<typeof shape>;

export const shapeOption = z
  .strictObject({
    simple: shape.optional().describe('Of requests of the simple tier'),
    standard: shape.optional().describe('Of the standard tier'),
    complex: shape.optional().describe('Of the complex tier'),
  })
  .optional()
  .describe('Caps what requests ask for, by the tier that answers; see docs/shaping.md');

/** Compiles a shape; null if the policy has none. */
export function compileShape(document: ShapeDocument | undefined): Shape | null {
  if (document === undefined) return null;
  const { maxOutputTokens = null, reasoning = null, thinkingTokens = null, serviceTier = null } = document;
  return { maxOutputTokens, reasoning, thinkingTokens, serviceTier };
}
