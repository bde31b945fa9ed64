import { limits } from '../../lib/limits.ts';
import { apis } from '../registry.ts';
import type { ParameterTable } from '../common/parameter-types.ts';
import type { Exchange } from '../types.ts';
import { shapeAnthropic } from './anthropic.ts';
import { Asked, type ShapeTarget } from './asked.ts';
import { shapeGemini } from './gemini.ts';
import { shapeOpenai } from './openai.ts';
import { shapeParts, type Shape, type ShapePlan } from './types.ts';

/** Of the first API for prompts, whose models take what it has. */
const noRules: ParameterTable = { title: '', rules: [], limitName: null };

/**
 * What a shape makes of a request, in the words of its API. Nothing is raised above what the app asked for, and what a model does not take is
 * left alone. `targets`: the models that may get it in the app's own words; `translated`: others may get it in the words of another API.
 */
export function planShape(exchange: Exchange, shape: Shape, targets: readonly ShapeTarget[], translated: boolean): ShapePlan {
  const table = apis[exchange.api].parameters ?? (exchange.api === 'openai-completions' ? noRules : null);
  // With more parameters than are noted, nobody knows what the app asks for.
  if (table === null || exchange.parameters.length >= limits.parameters) return { changes: [], left: shapeParts.filter((part) => shape[part] !== null).map((part) => ({ part, why: 'no-place' })) };
  const asked = new Asked(exchange, shape, targets, translated, table);
  switch (exchange.api) {
    case 'anthropic-messages':
      shapeAnthropic(asked);
      break;
    case 'gemini-generate':
      shapeGemini(asked);
      break;
    default:
      shapeOpenai(asked);
  }
  return { changes: asked.changes, left: asked.left };
}
