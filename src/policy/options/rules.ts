import { z } from 'zod';
import { names, name, model, tier } from './values.ts';
import { shape } from './shape.ts';

/** How many ways of choosing a target a directive contains. */
function targetsIn({
  tier: one,
  model: two,
  best,
  keep,
  block,
}: { readonly [K in 'tier' | 'model' | 'best' | 'keep' | 'block']?: unknown }): number {
  return [one, two, best, keep, block].filter((part) => part !== undefined).length;
}

const directive = z
  .strictObject({
    tier: tier.optional().describe('Take this tier’s candidates'),
    model: model.optional().describe('Take this model if it can do the job'),
    best: z.literal(true).optional().describe('Take the first candidate of the highest tier that can do the job'),
    keep: z.literal(true).optional().describe('Leave the app’s own model'),
    block: z.string().min(1).max(500).optional().describe('Refuse with this message, in the dialect of the API that was called'),
    fallback: z.array(model).min(1).optional().describe('Targets that answer when the one above fails; with tier, model or best'),
    shape: shape.optional().describe('Caps what the request asks for. See docs/shaping.md'),
  })
  .refine(
    (value) => targetsIn(value) === 1 || (targetsIn(value) === 0 && value.shape !== undefined && value.fallback === undefined),
    'say exactly one of tier, model, best, keep, block',
  )
  .refine(({ block, shape: shaped }) => block === undefined || shaped === undefined, 'shape does nothing with block')
  .refine(
    (value) => value.fallback === undefined || value.tier !== undefined || value.model !== undefined || value.best !== undefined,
    'fallback goes with tier, model or best',
  )
  .describe('Exactly one of tier, model, best, keep, block; shape beside it or alone');

const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time as HH:MM');

const override = z.strictObject({
  name,
  when: z
    .strictObject({
      quality: names.optional().describe('Values of the x-sluice-quality header'),
      userTier: names.optional().describe('Values of the x-sluice-user-tier header'),
      model: names.optional().describe('Requested models'),
      task: names.optional().describe('Task types, as classified or as the x-sluice-task header says'),
      modality: z
        .array(z.enum(['vision', 'audio', 'files', 'code', 'tools']))
        .min(1)
        .optional()
        .describe('What the request carries'),
      time: z
        .strictObject({
          zone: z.string().describe('IANA time zone, e.g. Europe/Berlin'),
          from: clock.describe('First minute, in that zone'),
          to: clock.describe('First minute after; before `from` means past midnight'),
          days: z
            .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
            .min(1)
            .optional()
            .describe('Days on which `from` falls'),
        })
        .optional()
        .describe('A time of day, daylight saving included'),
    })
    .refine((value) => Object.values(value).some((part) => part !== undefined), 'say at least one condition')
    .describe('All conditions must hold'),
  then: directive,
});

const rule = z.strictObject({
  name,
  when: z.string().min(1).max(2000).describe('A CEL expression over request, verdict, caller and provider that gives a bool'),
  then: directive,
});

export type DirectiveDocument = z.infer<typeof directive>;
export type OverrideDocument = z.infer<typeof override>;

export const overridesOption = z.array(override).optional().describe('Hard choices, first match wins, before the rules');

export const rulesOption = z.array(rule).optional().describe('CEL rules, first match wins, before the decision table');
