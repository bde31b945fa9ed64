import { defaultLearning, type LearningSettings } from '../router/online/settings.ts';
import type { Objective } from '../router/candidates/types.ts';
import type { LearnedDocument, LearningDocument, ModelsDocument } from './schema.ts';
import type { LearnedPolicy, ModelsPolicy, TargetRef } from './types.ts';

/** Fills in defaults. Null if the section has no learned routing, or this provider's traffic cannot reach the weak model. */
export function compileLearned(document: LearnedDocument | undefined, resolve: (text: string) => TargetRef | null): LearnedPolicy | null {
  if (document === undefined) return null;
  const weak = resolve(document.weak);
  if (weak === null) return null;
  return {
    weak,
    strong: new Set(document.strong),
    maxLoss: share(document.maxQualityLoss),
    pair: document.pair ?? null,
    uncalibrated: document.uncalibrated ?? 'shadow',
  };
}

/** `2%` or 0.02. */
export function share(value: string | number): number {
  return typeof value === 'number' ? value : Number(value.slice(0, -1)) / 100;
}

/**
 * Null if the section compares nothing, or this provider's traffic cannot reach any model of the list. `resolve`: resolves a model of the
 * list by its index.
 */
export function compileModels(
  document: ModelsDocument | undefined,
  resolve: (text: string, at: number) => TargetRef | null,
): ModelsPolicy | null {
  if (document === undefined) return null;
  const list = document.list?.map(resolve).filter((target) => target !== null) ?? null;
  return list?.length === 0 ? null : { list, for: new Set(document.for), objective: objectiveOf(document) };
}

function objectiveOf({ maxQualityLoss, maxCost, usdPerPoint }: ModelsDocument): Objective {
  if (maxQualityLoss !== undefined) return { kind: 'loss', maxLoss: share(maxQualityLoss) };
  // The schema ensures that one of the three is set. A point is a hundredth of a score of 1.
  return maxCost === undefined ? { kind: 'price', usd: (usdPerPoint ?? 0) * 100 } : { kind: 'cost', maxShare: share(maxCost) };
}

/** Fills in defaults; null if nothing is learnt from grades. */
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
