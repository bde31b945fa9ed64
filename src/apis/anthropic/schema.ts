import { anySchema, bareAnnotations, neverKept, type SchemaRules } from '../common/schema-rules.ts';

const unknown: ReadonlySet<string> = new Set([...neverKept, 'minimum', 'maximum', 'maxItems', 'minContains', 'maxContains', 'prefixItems']);

const formats: ReadonlySet<string> = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid']);

/** Back references, looking ahead or behind, and word boundaries. */
const beyondPattern = /\\[1-9bBk]|\(\?[=!<]/;

/** The schemas that Anthropic accepts for a tool's arguments. */
export const anthropicToolSchema: SchemaRules = anySchema('Anthropic');

/** The schemas that it enforces for an answer, and for the arguments of a strict tool. */
export const anthropicOutputSchema: SchemaRules = {
  ...anthropicToolSchema,
  unknown,
  annotations: new Set(bareAnnotations),
  closed: true,
  recursion: 'none',
  minItems: 1,
  enums: 'plain',
  formats,
  pattern: (pattern) => (beyondPattern.test(pattern) ? null : pattern),
};
