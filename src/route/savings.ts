import type { Cost, ModelEntry } from '../catalog/types.ts';
import type { Usage } from '../apis/types.ts';
import type { Baseline, ShapeFacts } from './types.ts';
import type { PolicySnapshot, TargetRef } from '../policy/types.ts';
import { regionOf } from '../policy/region.ts';
import { targetName } from '../lib/target-name.ts';
import { catalogModel } from './capabilities.ts';
import type { Mutable } from '../lib/mutable.ts';

export interface Savings {
  /** What the served model costs for this usage. */
  readonly cost: Cost;
  /** The cost of the requested model for the same usage. */
  readonly baseline: Cost;
  /** baseline − cost, in US dollars; negative when the served model is the costlier one. Known only when both are. */
  readonly savings: Cost;
}

/** How the baseline was calculated, for the record. */
export interface BaselineBasis {
  /** `provider/model`. */
  readonly target: string;
  /** `typical`: the output tokens that this model typically takes for the template; `same`: those of the served answer. */
  readonly tokens: 'typical' | 'same';
  /** 90% interval of the baseline of this call in US dollars, from the spread of that model's answers; null with `same`, or if unknown. */
  readonly low: number | null;
  readonly high: number | null;
}

/** z of a two-sided 90% interval. */
const z90 = 1.645;

/**
 * Prices one call in US dollars. It prices the model that was sent; the name in the provider's answer is only recorded. The baseline uses
 * the tokens that its model typically takes for the template, if known, or else the same tokens. Without usage all are unknown.
 */
export function estimateSavings(
  generation: Pick<PolicySnapshot, 'catalog' | 'providers'>,
  against: Baseline,
  served: TargetRef,
  usage: Usage | null,
  answers = 1,
): Savings {
  const { target, typical } = against;
  const cost = costOf(generation, served, usage);
  const alike = typical === null && target.provider === served.provider && target.model === served.model;
  const baseline = alike ? cost : baselineAt(generation, against, usage, (typical?.tokens ?? 0) * answers);
  return { cost, baseline, savings: difference(baseline, cost) };
}

/** How the baseline of `estimateSavings` is calculated. */
export function baselineBasis(
  generation: Pick<PolicySnapshot, 'catalog' | 'providers'>,
  against: Baseline,
  usage: Usage | null,
  answers = 1,
): BaselineBasis {
  const { target, typical } = against;
  const bound = (z: number): number | null => {
    if (typical === null) return null;
    // A lognormal's mean is above its median, and the interval is around the median.
    const tokens = typical.tokens * Math.exp(z * typical.spread - typical.spread ** 2 / 2);
    const one = baselineAt(generation, against, usage, tokens * answers);
    return one.known ? one.usd : null;
  };
  return {
    target: targetName(target.provider, target.model),
    tokens: typical === null ? 'same' : 'typical',
    low: bound(-z90),
    high: bound(z90),
  };
}

/** The baseline's cost for `tokens` output tokens, or for the usage's own if nothing typical is known. */
function baselineAt(
  generation: Pick<PolicySnapshot, 'catalog' | 'providers'>,
  { target, typical }: Baseline,
  usage: Usage | null,
  tokens: number,
): Cost {
  return costOf(generation, target, usage === null || typical === null ? usage : withOutput(usage, tokens, typical.reasoning));
}

/**
 * What a shape saved, in US dollars: the served model's price for the answer estimated without the shape (in the standard service tier if
 * the shape chose another one), minus the price of the actual answer. An estimate; unknown if a price or the usage is.
 */
export function shapeSavings(
  generation: Pick<PolicySnapshot, 'catalog' | 'providers'>,
  { changes, unshapedOutputTokens }: ShapeFacts,
  served: TargetRef,
  usage: Usage | null,
): Cost {
  if (usage === null) return { known: false, reason: 'usage' };
  const shorter = changes.some(({ part }) => part !== 'serviceTier');
  const tokens = shorter ? Math.max(usage.totalOutput, unshapedOutputTokens) : usage.totalOutput;
  const before: Mutable<Usage> = {
    ...(tokens === usage.totalOutput
      ? usage
      : withOutput(usage, tokens, usage.totalOutput === 0 ? 0 : usage.reasoning / usage.totalOutput)),
  };
  if (changes.some(({ part }) => part === 'serviceTier')) delete before.service;
  return difference(costOf(generation, served, before), costOf(generation, served, usage));
}

/** The same call with another answer length. */
function withOutput(usage: Usage, tokens: number, reasoning: number): Usage {
  const thought = Math.round(tokens * reasoning);
  const output = Math.max(0, Math.round(tokens) - thought);
  const text: Mutable<Usage> = { ...usage, output, reasoning: thought, audioOutput: 0, totalOutput: output + thought };
  delete text.imageOutput;
  return text;
}

/** baseline − cost, rounded to 1e-12 dollars like the prices; if either is unknown, the first unknown of cost and baseline. */
export function difference(baseline: Cost, cost: Cost): Cost {
  if (!cost.known) return cost;
  if (!baseline.known) return baseline;
  return { known: true, usd: Math.round((baseline.usd - cost.usd) * 1e12) / 1e12 };
}

/** Whether a model costs nothing whatever it is asked, by stated prices: moderations, whose answers have no usage. */
function isFree({ model, mode, prices: { input, output } }: ModelEntry): boolean {
  return mode === 'other' && model.includes('moderation') && input === 0 && output === 0;
}

/** The cost of a usage at a target. */
export function costOf(
  { catalog, providers }: Pick<PolicySnapshot, 'catalog' | 'providers'>,
  target: TargetRef,
  usage: Usage | null,
): Cost {
  const provider = providers.get(target.provider);
  if (usage === null) {
    const entry = provider === undefined ? null : catalog.lookup(provider.catalogProvider, catalogModel(provider, target.model));
    return entry !== null && isFree(entry) ? { known: true, usd: 0 } : { known: false, reason: 'usage' };
  }
  if (provider === undefined) return { known: false, reason: 'model' };
  return catalog.cost(provider.catalogProvider, catalogModel(provider, target.model), usage, regionOf(provider));
}
