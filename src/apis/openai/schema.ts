import { anySchema, bareAnnotations, type SchemaRules } from '../common/schema-rules.ts';

/** The schemas that OpenAI accepts for a tool's arguments. */
export const openaiSchema: SchemaRules = anySchema('OpenAI');

/** Those of an answer, as a hint. */
export const openaiHintSchema: SchemaRules = { ...openaiSchema, rootObject: true };

const formats: ReadonlySet<string> = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid']);

/** The schemas that it enforces for an answer, and for the arguments of a strict tool. */
export const openaiStrictSchema: SchemaRules = {
  ...openaiHintSchema,
  annotations: new Set([...bareAnnotations, 'default']),
  enums: 'plain',
  loneRefs: true,
  formats,
};
