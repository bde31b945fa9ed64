import type { ToolDefinition } from '../common/conversation.ts';
import { isList, isObject } from '../common/json.ts';
import type { Json } from '../common/json.ts';
import { Losses } from '../common/losses.ts';
import { fitsStrict } from '../common/strict-schema.ts';
import { outputSchema } from '../common/target-schema.ts';
import { anthropicOutputSchema } from './schema.ts';

/** Anthropic's bounds for everything that one request wants checked. */
const most = { tools: 20, optional: 24, unions: 16 } as const;

interface Complexity {
  readonly optional: number;
  readonly unions: number;
}

/** Refuses a format of the answer that is too complex to be enforced. */
export function boundFormat(schema: Json, at: string, losses: Losses): void {
  const { optional, unions } = complexityOf(schema);
  if (optional > most.optional) losses.refuse(`${at}.schema`, `has ${optional} optional members; Anthropic takes ${most.optional}`);
  if (unions > most.unions) losses.refuse(`${at}.schema`, `has ${unions} members of several types; Anthropic takes ${most.unions}`);
}

/** The tools whose arguments Anthropic can check, beside a format of the answer (undefined: none); those that it cannot lose `strict`. */
export function strictTools(tools: readonly ToolDefinition[], format: Json | undefined, losses: Losses): ReadonlySet<ToolDefinition> {
  const kept = tools.filter((tool) => tool.strict && keepsToStrict(tool, losses));
  const schemas = [format, ...kept.map(({ schema }) => schema ?? undefined)].map(complexityOf);
  const sum = (of: (one: Complexity) => number): number => schemas.reduce((all, one) => all + of(one), 0);
  if (kept.length <= most.tools && sum(({ optional }) => optional) <= most.optional && sum(({ unions }) => unions) <= most.unions)
    return new Set(kept);
  for (const { at } of kept) losses.lose(`${at}.strict`, 'more tools and optional members than Anthropic checks in one request');
  return new Set();
}

/** Whether Anthropic accepts a tool's schema in its strict mode, which supports only a part of JSON Schema. */
function keepsToStrict(tool: ToolDefinition, losses: Losses): boolean {
  const tried = new Losses([]);
  outputSchema(tool.schema ?? { type: 'object', properties: {} }, anthropicOutputSchema, tool.at, true, tried);
  if (tried.unsupported.length === 0 && fitsStrict(tool.schema)) return true;
  losses.lose(`${tool.at}.strict`, 'Anthropic keeps to a part of JSON Schema only, and this goes beyond');
  return false;
}

function complexityOf(schema: Json | undefined): Complexity {
  let optional = 0;
  let unions = 0;
  const visit = (value: Json | undefined): void => {
    if (isList(value)) return value.forEach(visit);
    if (!isObject(value)) return;
    const { properties, required, type, anyOf } = value;
    if (isObject(properties)) {
      const names = new Set(isList(required) ? required : []);
      optional += Object.keys(properties).filter((name) => !names.has(name)).length;
    }
    if (isList(anyOf) || (isList(type) && type.length > 1)) unions++;
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(schema);
  return { optional, unions };
}
