import type { LearnedDocument } from './schema.ts';
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
