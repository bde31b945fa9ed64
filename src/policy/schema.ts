import { z } from 'zod';
import { catalogOverridesSchema } from '../catalog/index.ts';
import { limits } from '../lib/limits.ts';
import { budget, webhook } from './options/budgets.ts';
import { callers } from './options/callers.ts';
import { delegation } from './options/delegations.ts';
import { experiment, rollout } from './options/experiments.ts';
import { provider } from './options/providers.ts';
import { rateLimit } from './options/rate-limits.ts';
import { defaults, sections } from './options/section.ts';
import { name, names } from './options/values.ts';

/** The policy format. `schema/policy.schema.json` and the reference in docs/policy.md are generated from it. */
export const policySchema = z.strictObject({
  version: z.literal(1).describe('Version of this format'),
  catalog: z.strictObject({ overrides: catalogOverridesSchema.optional() }).optional().describe('Price facts'),
  providers: z.record(name, provider).optional().describe('Providers by name; those of the defaults may be changed or added to'),
  workspaces: z
    .strictObject({
      headers: z.array(z.string().min(1)).optional().describe('Headers with the workspace, first one wins'),
      known: names.optional().describe('Workspaces that metrics may name'),
      userHeaders: z.array(z.string().min(1)).optional().describe('Headers with the user, first one wins; only a hash is kept'),
      ruleHeaders: z.array(z.string().min(1)).optional().describe('Headers that rules may read'),
    })
    .optional()
    .describe('How callers are told apart'),
  callers: callers.optional().describe('Which callers are trusted; see docs/callers.md'),
  delegations: z
    .record(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'a Kubernetes namespace'), delegation)
    .optional()
    .describe('Namespaces whose ConfigMaps may write sections for their own workspaces; see docs/kubernetes.md'),
  budgets: z.array(budget).max(limits.budgets).optional().describe('Spending limits; see docs/budgets.md'),
  limits: z
    .array(rateLimit)
    .max(limits.rateLimits)
    .optional()
    .describe('Rate limits: requests, tokens, requests at once; see docs/rate-limits.md'),
  webhooks: z.record(name, webhook).optional().describe('Where budget messages are sent, by name'),
  experiments: z.array(experiment).max(20).optional().describe('A/B and shadow experiments; see docs/experiments.md'),
  rollout: rollout.optional().describe('How this policy replaces the previous one; absent: at once'),
  defaults,
  sections,
});

export type PolicyDocument = z.infer<typeof policySchema>;
