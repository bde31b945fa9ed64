import { limits } from '../../lib/limits.ts';
import { apis } from '../registry.ts';
import type { ParameterTable } from '../common/parameter-types.ts';
import type { Exchange } from '../types.ts';
import { Asked, type ShapeTarget } from './asked.ts';
import { shapeParts, type Shape, type ShapePlan } from './types.ts';

/** Of an API whose models take what it has. */
const noRules: ParameterTable = { title: '', rules: [], limitName: null };

/**
 * What a shape makes of a request, in the words of its API. Nothing is raised above what the app asked for, and what a model does not take is
 * left alone. `targets`: the models that may get it in the app's own words; `translated`: others may get it in the words of another API.
 */
export function planShape(exchange: Exchange, shape: Shape, targets: readonly ShapeTarget[], translated: boolean): ShapePlan {
  const { parameters, request } = apis[exchange.api];
  // With more parameters than are noted, nobody knows what the app asks for.
  if (request.shape === null || exchange.parameters.length >= limits.parameters)
    return { changes: [], left: shapeParts.filter((part) => shape[part] !== null).map((part) => ({ part, why: 'no-place' })) };
  const asked = new Asked(exchange, shape, targets, translated, parameters ?? noRules);
  request.shape(asked);
  return { changes: asked.changes, left: asked.left };
}
