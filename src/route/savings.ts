import type { Cost } from '../catalog/types.ts';
import type { Usage } from '../apis/types.ts';
import type { PolicyGeneration, TargetRef } from '../policy/types.ts';
import { catalogModel } from './capabilities.ts';

export interface Savings {
  /** What the served model costs for this usage. */
  readonly cost: Cost;
  /** What the requested model would have cost for the same usage. */
  readonly baseline: Cost;
  /** baseline − cost, in US dollars; negative when the served model is the costlier one. Known only when both are. */
  readonly savings: Cost;
}

/**
 * Prices one call in US dollars. The model that was sent is priced; what the provider calls it in its answer is only
 * recorded. The baseline assumes that the requested model had used the same tokens. Without usage all three are unknown.
 */
export function estimateSavings(generation: Pick<PolicyGeneration, 'catalog' | 'providers'>, requested: TargetRef, served: TargetRef, usage: Usage | null): Savings {
  const cost = costOf(generation, served, usage);
  const baseline = costOf(generation, requested, usage);
  return { cost, baseline, savings: difference(baseline, cost) };
}

/** baseline − cost, rounded at 1e-12 dollars as the prices are; the first unknown of cost and baseline otherwise. */
export function difference(baseline: Cost, cost: Cost): Cost {
  if (!cost.known) return cost;
  if (!baseline.known) return baseline;
  return { known: true, usd: Math.round((baseline.usd - cost.usd) * 1e12) / 1e12 };
}

function costOf({ catalog, providers }: Pick<PolicyGeneration, 'catalog' | 'providers'>, target: TargetRef, usage: Usage | null): Cost {
  if (usage === null) return { known: false, reason: 'usage' };
  const provider = providers.get(target.provider);
  if (provider === undefined) return { known: false, reason: 'model' };
  return catalog.cost(provider.catalogProvider, catalogModel(provider, target.model), usage);
}
