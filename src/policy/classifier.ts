import type { TaughtExamples } from '../classify/index.ts';
import { defaultThresholds, type TierThresholds } from '../classify/types.ts';
import type { SettingsDocument } from './schema.ts';

/** How a section judges prompts. */
export interface SectionClassifier {
  readonly thresholds: TierThresholds;
  /** Null: the policy teaches nothing. */
  readonly examples: TaughtExamples | null;
}

/** A section's decision table, with the defaults for what it does not say. */
export function compileClassifier({ thresholds }: Pick<SettingsDocument, 'thresholds'>): SectionClassifier {
  return { thresholds: thresholds === undefined ? defaultThresholds : tableOf(thresholds), examples: null };
}

function tableOf({ simple, standard, margin = 0 }: NonNullable<SettingsDocument['thresholds']>): TierThresholds {
  const limit = ({ score, tokens = Infinity }: { readonly score: number; readonly tokens?: number | undefined }): TierThresholds['simple'] => ({ score, tokens });
  return { simple: limit(simple), standard: limit(standard), margin };
}
