import { anySchema, bareAnnotations, neverKept, type SchemaRules } from '../common/schema-rules.ts';

/** From the documentation of structured outputs: constraints that Cohere does not enforce. */
const unknown: ReadonlySet<string> = new Set([
  ...neverKept,
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'prefixItems',
  'minContains',
  'maxContains',
  'allOf',
]);

/** Cohere's expressions describe the whole text, and know no anchors and no looking ahead. */
function pattern(written: string): string | null {
  const body = written.replace(/^\^/, '').replace(/(^|[^\\])\$$/, '$1');
  return /\(\?[=!<]|(^|[^\\[])\^|(^|[^\\])\$/.test(body) ? null : body;
}

/** The schemas that Cohere accepts for a tool's arguments. */
export const cohereToolSchema: SchemaRules = anySchema('Cohere');

/** The schemas that it enforces for an answer, and for the arguments of strict tools. */
export const cohereOutputSchema: SchemaRules = {
  ...cohereToolSchema,
  unknown,
  annotations: new Set(bareAnnotations),
  rootObject: true,
  enums: 'plain',
  requiredSome: true,
  oneType: true,
  formats: new Set(['date-time', 'uuid', 'date', 'time']),
  pattern,
};
