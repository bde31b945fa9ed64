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

/** What Gemini takes as a tool's arguments. */
export const geminiToolSchema: SchemaRules = { ...anySchema('Gemini'), rootUnions: true, constAsEnum: true };

/** What it keeps an answer to. */
export const geminiOutputSchema: SchemaRules = { ...geminiToolSchema, unknown };
