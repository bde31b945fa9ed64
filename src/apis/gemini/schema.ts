import { anySchema, type SchemaRules } from '../common/target-schema.ts';

const unknown: ReadonlySet<string> = new Set([
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
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
  'unevaluatedProperties',
  'unevaluatedItems',
  'allOf',
]);

/** The schemas that Gemini accepts for a tool's arguments. */
export const geminiToolSchema: SchemaRules = { ...anySchema('Gemini'), rootUnions: true, constAsEnum: true };

/** The schemas that it enforces for an answer. */
export const geminiOutputSchema: SchemaRules = { ...geminiToolSchema, unknown };
