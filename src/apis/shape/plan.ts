import { limits } from '../../lib/limits.ts';
import { apis } from '../registry.ts';
import type { ParameterTable } from '../common/parameter-types.ts';
import type { ParsedRequest } from '../types.ts';
import { Asked, type ShapeTarget } from './asked.ts';
import { shapeParts, type Shape, type ShapePlan } from './types.ts';

/** For an API whose models accept all of its parameters. */
const noRules: ParameterTable = { title: '', rules: [], limitName: null };

/**
 * The changes that a shape makes to a request, in its API's parameters. Nothing is raised above the app's value, and a parameter that a
 * model refuses is left unchanged. `targets`: the models that may get the request untranslated; `translated`: others may get it translated.
 */
export function planShape(exchange: ParsedRequest, shape: Shape, targets: readonly ShapeTarget[], translated: boolean): ShapePlan {
  const { parameters, request } = apis[exchange.api];
  // With more parameters than the bound, the app's values are not fully known.
  if (request.shape === null || exchange.parameters.length >= limits.parameters)
    return { changes: [], left: shapeParts.filter((part) => shape[part] !== null).map((part) => ({ part, why: 'no-place' })) };
  const asked = new Asked(exchange, shape, targets, translated, parameters ?? noRules);
  request.shape(asked);
  return { changes: asked.changes, left: asked.left };
}
