import { z } from 'zod';
import { defaultLearning, type LearningSettings } from '../../router/online/settings.ts';
import { share, shareOf } from './values.ts';

const learning = z.strictObject({
  probes: share.optional().describe('Share of the requests that is drawn by lot, so that both models get grades; 2% by default'),
  riskShare: share.optional().describe('Share of maxQualityLoss that such requests may cost; 15% by default'),
  upgrade: z
    .strictObject({
      below: z.number().min(0).max(1).optional().describe('A grade below it upgrades; 0.3 by default'),
      hours: z.number().positive().max(8_760).optional().describe('Hours for which it does; 24 by default'),
      scope: z
        .enum(['similar', 'template', 'none'])
        .optional()
        .describe('similar: near-duplicates of the text within its template (the default); template: all of the template'),
    })
    .optional()
    .describe('After a low grade, similar requests keep the requested model'),
});

export type LearningDocument = z.infer<typeof learning>;

export const learningOption = learning.optional().describe('Learns from grades, by template; see docs/learning.md');

/** Fills in defaults; null if nothing is learnt from grades. */
export function compileLearning(document: LearningDocument | undefined): LearningSettings | null {
  if (document === undefined) return null;
  const { probes, riskShare, upgrade } = document;
  return {
    probeShare: probes === undefined ? defaultLearning.probeShare : shareOf(probes),
    riskShare: riskShare === undefined ? defaultLearning.riskShare : shareOf(riskShare),
    upgradeBelow: upgrade?.below ?? defaultLearning.upgradeBelow,
    upgradeMs: upgrade?.hours === undefined ? defaultLearning.upgradeMs : upgrade.hours * 3_600_000,
    upgradeScope: upgrade?.scope ?? defaultLearning.upgradeScope,
  };
}
