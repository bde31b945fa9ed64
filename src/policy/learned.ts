import { defaultLearning, type LearningSettings } from '../router/online/settings.ts';
import type { LearnedDocument, LearningDocument } from './schema.ts';
import type { LearnedPolicy, TargetRef } from './types.ts';

/** Defaults filled in. Null when the section has no learned routing, or this provider's traffic cannot reach the weak model. */
export function compileLearned(document: LearnedDocument | undefined, resolve: (text: string) => TargetRef | null): LearnedPolicy | null {
  if (document === undefined) return null;
  const weak = resolve(document.weak);
  if (weak === null) return null;
  return { weak, strong: new Set(document.strong), maxLoss: share(document.maxQualityLoss), pair: document.pair ?? null, uncalibrated: document.uncalibrated ?? 'shadow' };
}

/** `2%` or 0.02. */
export function share(value: string | number): number {
  return typeof value === 'number' ? value : Number(value.slice(0, -1)) / 100;
}

/** Defaults filled in; null where nothing is learnt from grades. */
export function compileLearning(document: LearningDocument | undefined): LearningSettings | null {
  if (document === undefined) return null;
  const { probes, riskShare, upgrade } = document;
  return {
    probeShare: probes === undefined ? defaultLearning.probeShare : share(probes),
    riskShare: riskShare === undefined ? defaultLearning.riskShare : share(riskShare),
    upgradeBelow: upgrade?.below ?? defaultLearning.upgradeBelow,
    upgradeMs: upgrade?.hours === undefined ? defaultLearning.upgradeMs : upgrade.hours * 3_600_000,
    upgradeScope: upgrade?.scope ?? defaultLearning.upgradeScope,
  };
}
