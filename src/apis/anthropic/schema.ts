import { anySchema, type SchemaRules } from '../common/target-schema.ts';

const unknown: ReadonlySet<string> = new Set([
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'maxItems',
  'uniqueItems',
  'contains',
  'minContains',
  'maxContains',
  'minProperties',
  'maxProperties',
  'patternProperties',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
  'dependentRequired',
  'dependentSchemas',
  'prefixItems',
  'unevaluatedProperties',
  'unevaluatedItems',
]);

/** The schemas that Anthropic accepts for a tool's arguments. */
export const anthropicToolSchema: SchemaRules = anySchema('Anthropic');

/** The schemas that it enforces for an answer. */
export const anthropicOutputSchema: SchemaRules = { ...anthropicToolSchema, unknown, closed: true, flat: true, minItems: 1 };
