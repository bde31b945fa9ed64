import { z } from 'zod';
import { names, tier } from './values.ts';

export const servedMatch = z
  .strictObject({
    workspace: names.optional().describe('Names, or prefixes that end in *'),
    model: names.optional().describe('Models that are served, as model or provider/model'),
    tier: z.array(tier).min(1).optional().describe('Tiers'),
  })
  .optional()
  .describe('Absent parts match all');

export type ServedMatchDocument = z.infer<typeof servedMatch>;
