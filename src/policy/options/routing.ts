import { z } from 'zod';
import { model, names, tier } from './values.ts';

const threshold = z.strictObject({
  score: z.number().min(0).max(1).describe('Scores below this'),
  tokens: z.int().positive().optional().describe('Estimated prompt tokens below this; absent: size does not decide'),
});

/** Whether requests are routed, and how the decision table chooses. */
export const routing = {
  mode: z.enum(['enabled', 'shadow', 'off']).optional().describe('shadow decides and records without changing traffic; off lets all pass'),
  failClosed: z.boolean().optional().describe('Answer 503 when Sluice cannot decide, instead of letting the request pass'),
  tiers: z.array(tier).optional().describe('Tiers that are routed; requests of other tiers keep their model'),
  thresholds: z
    .strictObject({
      simple: threshold.describe('simple: below both'),
      standard: threshold.describe('standard: below both; anything else is complex'),
      margin: z.number().min(0).max(1).optional().describe('A score that lies this close below a limit takes the tier above; 0 by default'),
    })
    .optional()
    .describe('The decision table'),
  candidates: z
    .strictObject({
      simple: z.array(model).optional().describe('For simple prompts'),
      standard: z.array(model).optional().describe('For standard prompts'),
      complex: z.array(model).optional().describe('For complex prompts; `best` takes the first that can do the job'),
    })
    .optional()
    .describe('Models by tier; the cheapest that can do the job is taken'),
  pinned: names.optional().describe('Requested models that are never changed'),
  allowProviders: names.optional().describe('Other providers that requests may be sent to'),
  otherApis: z
    .enum(['where-needed', 'always'])
    .optional()
    .describe(
      'Candidates of another API, for which the request is translated: where-needed (the default): in tiers that have none of its own; always: beside those. Their provider must be in allowProviders',
    ),
  upgrades: z.enum(['never', 'allow']).optional().describe('Whether the decision table may choose a costlier model than was asked for'),
  unknownModel: z.enum(['keep', 'route']).optional().describe('What to do with a requested model that the catalog does not know'),
  baseline: model.optional().describe('Savings are counted against this model; by default against the requested one'),
  default: model.optional().describe('Taken when no candidate can do the job; otherwise the requested model'),
};
