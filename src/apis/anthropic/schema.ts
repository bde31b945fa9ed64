import { anySchema, neverKept, type SchemaRules } from '../common/target-schema.ts';

const unknown: ReadonlySet<string> = new Set([...neverKept, 'minimum', 'maximum', 'maxItems', 'minContains', 'maxContains', 'prefixItems']);

/** The schemas that Anthropic accepts for a tool's arguments. */
export const anthropicToolSchema: SchemaRules = anySchema('Anthropic');

/** The schemas that it enforces for an answer. */
export const anthropicOutputSchema: SchemaRules = { ...anthropicToolSchema, unknown, closed: true, flat: true, minItems: 1 };
