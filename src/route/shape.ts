import { planShape } from '../apis/shape/plan.ts';
import { strictest } from '../apis/shape/types.ts';
import { takesAsIs } from '../apis/translatable.ts';
import type { TargetRef } from '../policy/types.ts';
import { catalogModel } from './capabilities.ts';
import type { Candidates } from './candidates.ts';
import type { Choice } from './choice.ts';
import type { NamedShape } from './rules.ts';
import type { BudgetStep, ShapeFacts } from './types.ts';

/**
 * Changes to the request's own parameters; null if the policy caps nothing here or the request must not be changed. `shapes`: of rules;
 * `step`: a budget's.
 */
export function shapeOf(
  candidates: Candidates,
  choice: Choice,
  chain: readonly TargetRef[],
  shapes: readonly NamedShape[],
  step: BudgetStep | undefined,
): ShapeFacts | null {
  const { section, exchange } = candidates.input;
  if (exchange.operation !== 'generate' || choice.reason === 'route-off' || choice.reason === 'pinned') return null;
  const byTier = section.shapes?.[choice.tier] ?? null;
  const byBudget = step?.shape ?? null;
  if (shapes.length === 0 && byTier === null && byBudget === null) return null;
  const wanted = [...shapes];
  if (byTier !== null) wanted.push([`tier ${choice.tier}`, byTier]);
  if (byBudget !== null) wanted.push([`budget ${step!.budget}`, byBudget]);
  return shapedBy(candidates, wanted, chain);
}

/** `wanted`: at least one. */
function shapedBy(candidates: Candidates, wanted: readonly NamedShape[], chain: readonly TargetRef[]): ShapeFacts {
  const { exchange, generation, provider } = candidates.input;
  const own = chain.flatMap((target) => {
    const other = generation.providers.get(target.provider);
    return other !== undefined && (other === provider || takesAsIs(other, provider.family, exchange.api))
      ? [{ provider: other.catalogProvider, model: catalogModel(other, target.model) }]
      : [];
  });
  const shape = strictest(wanted.map(([, one]) => one));
  const plan = planShape(exchange, shape, own, own.length < chain.length);
  const unshapedOutputTokens = candidates.outputFor(chain[0] ?? candidates.requested);
  if (plan.changes.some(({ part }) => part === 'maxOutputTokens'))
    candidates.most = (shape.maxOutputTokens ?? Infinity) * Math.max(1, exchange.n);
  return { by: wanted.map(([by]) => by), ...plan, unshapedOutputTokens };
}
