import type { Cost } from '../catalog/types.ts';
import type { Usage } from '../apis/types.ts';
import type { Baseline, ShapeFacts } from './types.ts';
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

/** How a baseline was reckoned, as the record says it. */
export interface BaselineBasis {
  /** `provider/model`. */
  readonly target: string;
  /** `typical`: the output tokens that this model takes for the template; `same`: those of the answer that was served. */
  readonly tokens: 'typical' | 'same';
  /** US dollars between which the baseline of this one call lies with 90%, by the spread of that model's answers; null with `same`, or where it is unknown. */
  readonly low: number | null;
  readonly high: number | null;
}

/** z of a two-sided 90% interval. */
const z90 = 1.645;

/**
 * Prices one call in US dollars. The model that was sent is priced; what the provider calls it in its answer is only
 * recorded. The baseline takes the tokens that its model typically takes for the template where that is known, else it assumes
 * the same tokens; `basis` says which. Without usage all are unknown.
 */
export function estimateSavings(
  generation: Pick<PolicyGeneration, 'catalog' | 'providers'>,
  against: Baseline,
  served: TargetRef,
  usage: Usage | null,
  answers = 1,
): Savings & { readonly basis: BaselineBasis } {
  const { target, typical } = against;
  const cost = costOf(generation, served, usage);
  const at = (tokens: number): Cost =>
    costOf(generation, target, usage === null || typical === null ? usage : withOutput(usage, tokens * answers, typical.reasoning));
  const baseline = at(typical?.tokens ?? 0);
  const bound = (z: number): number | null => {
    if (typical === null) return null;
    // The mean of a lognormal lies above its median: the interval is around the median.
    const one = at(typical.tokens * Math.exp(z * typical.spread - typical.spread ** 2 / 2));
    return one.known ? one.usd : null;
  };
  return {
    cost,
    baseline,
    savings: difference(baseline, cost),
    basis: {
      target: `${target.provider}/${target.model}`,
      tokens: typical === null ? 'same' : 'typical',
      low: bound(-z90),
      high: bound(z90),
    },
  };
}

/**
 * What a shape saved, in US dollars: the served model's price of the answer that it was reckoned to give without it, in the standard service
 * tier where the shape chose another one, less its price of the answer that came. An estimate; unknown where a price or the usage is.
 */
export function shapeSavings(
  generation: Pick<PolicyGeneration, 'catalog' | 'providers'>,
  { changes, unshapedOutputTokens }: ShapeFacts,
  served: TargetRef,
  usage: Usage | null,
): Cost {
  if (usage === null) return { known: false, reason: 'usage' };
  const shorter = changes.some(({ part }) => part !== 'serviceTier');
  const tokens = shorter ? Math.max(usage.totalOutput, unshapedOutputTokens) : usage.totalOutput;
  const before: { -readonly [K in keyof Usage]: Usage[K] } = {
    ...(tokens === usage.totalOutput
      ? usage
      : withOutput(usage, tokens, usage.totalOutput === 0 ? 0 : usage.reasoning / usage.totalOutput)),
  };
  if (changes.some(({ part }) => part === 'serviceTier')) delete before.service;
  return difference(costOf(generation, served, before), costOf(generation, served, usage));
}

/** The same call with another length of its answer. */
function withOutput(usage: Usage, tokens: number, reasoning: number): Usage {
  const thought = Math.round(tokens * reasoning);
  const output = Math.max(0, Math.round(tokens) - thought);
  return { ...usage, output, reasoning: thought, audioOutput: 0, totalOutput: output + thought };
}

/** baseline − cost, rounded at 1e-12 dollars as the prices are; the first unknown of cost and baseline otherwise. */
export function difference(baseline: Cost, cost: Cost): Cost {
  if (!cost.known) return cost;
  if (!baseline.known) return baseline;
  return { known: true, usd: Math.round((baseline.usd - cost.usd) * 1e12) / 1e12 };
}

/** What a usage costs at a target. */
export function costOf(
  { catalog, providers }: Pick<PolicyGeneration, 'catalog' | 'providers'>,
  target: TargetRef,
  usage: Usage | null,
): Cost {
  if (usage === null) return { known: false, reason: 'usage' };
  const provider = providers.get(target.provider);
  if (provider === undefined) return { known: false, reason: 'model' };
  return catalog.cost(provider.catalogProvider, catalogModel(provider, target.model), usage);
}
