import type { BeliefSettings } from './beliefs.ts';
import type { RoutingSettings } from './router.ts';

/** Settings of learning in a policy. */
export interface LearningSettings extends Omit<RoutingSettings, 'maxLoss'>, UpgradeSettings {}

/** When a grade causes an upgrade, and its scope. */
export interface UpgradeSettings {
  /** A score below this upgrades requests similar to the graded one. */
  readonly upgradeBelow: number;
  readonly upgradeMs: number;
  /** `similar`: near-duplicates of the text within its template; `template`: the whole template; `none`: nothing. */
  readonly upgradeScope: 'similar' | 'template' | 'none';
}

/** Priors before there are grades, from public outcomes of pairs of models; docs/learning.md explains each. */
export const beliefSettings: BeliefSettings = {
  noise: 0.15,
  pairNoise: 0.18,
  level: 0.8,
  levelError: 0.15,
  levelSpread: 0.15,
  slope: 0.5,
  slopeError: 0.4,
  between: 0.8,
  betweenError: 0.5,
  kindSpread: 0.05,
  halfLifeMs: 14 * 86_400_000,
};

/** Defaults when the policy sets nothing. */
export const defaultLearning: LearningSettings = {
  riskShare: 0.15,
  probeShare: 0.02,
  upgradeBelow: 0.3,
  upgradeMs: 24 * 3_600_000,
  upgradeScope: 'similar',
};
