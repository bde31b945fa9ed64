import { z } from 'zod';
import { match, settings } from './section.ts';
import { model, name, onOff, share, unit } from './values.ts';

export const experiment = z
  .strictObject({
    name,
    kind: z.enum(['ab', 'shadow']).describe('ab: a share is answered otherwise; shadow: a share is sent to another model too, for grades'),
    enabled: onOff.optional().describe('off: nobody takes part'),
    match: match.optional().describe('Whose requests take part; absent: all'),
    share: share.describe('Share of them that gets the treatment'),
    by: unit.optional().describe('ab: who stays in one arm; session by default'),
    model: model.optional().describe('The treatment: this model, or `requested`: the one that the app asked for'),
    settings: z.strictObject(settings).optional().describe('The treatment: these settings in place of the section’s own'),
    maxUsdPerDay: z
      .number()
      .positive()
      .max(100_000)
      .optional()
      .describe('shadow: US dollars a day (UTC) of one replica; beyond it nothing is mirrored'),
    stopOnHarm: onOff.optional().describe('ab: the treatment ends by itself when tests show harm'),
  })
  .refine((value) => (value.model === undefined) !== (value.settings === undefined), 'say exactly one of model, settings')
  .refine(
    ({ kind, model: wanted, maxUsdPerDay, by, stopOnHarm }) =>
      kind === 'shadow'
        ? wanted !== undefined && wanted !== 'requested' && maxUsdPerDay !== undefined && by === undefined && stopOnHarm === undefined
        : maxUsdPerDay === undefined,
    'shadow needs model and maxUsdPerDay, and takes no by, settings or stopOnHarm; ab takes no maxUsdPerDay',
  );

export const rollout = z.strictObject({
  stages: z.array(share).min(1).max(20).optional().describe('Shares, ascending; then all. 1%, 10%, 50% by default'),
  by: unit.optional().describe('Who stays with one policy; session by default'),
  requests: z.int().min(1).max(1_000_000).optional().describe('Answers of the new policy that a stage takes at least; 200 by default'),
  minutes: z
    .number()
    .min(0)
    .max(30 * 24 * 60)
    .optional()
    .describe('Time that a stage takes at least; 30 by default'),
  keepForDays: z
    .number()
    .min(0)
    .max(365)
    .optional()
    .describe('Days for which the old policy is kept ready for `sluice rollback`; 14 by default'),
  falseAlarm: share.optional().describe('How often a harmless policy may be taken back; 5% by default'),
  horizon: z.int().min(50).max(1_000_000).optional().describe('Comparisons within which the tests are sharpest; 2000 by default'),
  tolerance: z
    .strictObject({
      quality: z.number().min(0).max(0.5).optional().describe('Drop of the mean grade that is no harm; 0 by default'),
      errors: z.number().min(0).max(0.5).optional().describe('Rise of the share of errors that is no harm; 0 by default'),
      cost: z.number().min(0).max(10).optional().describe('Relative rise of the mean cost that is no harm; 0.1 by default'),
      latency: z.number().min(0).max(10).optional().describe('Relative rise of the mean time that is no harm; 0.25 by default'),
    })
    .optional()
    .describe('What is no harm'),
});

export type ExperimentDocument = z.infer<typeof experiment>;
export type RolloutDocument = z.infer<typeof rollout>;
