import { anySchema, bareAnnotations, neverKept, type SchemaRules } from '../common/schema-rules.ts';

const unknown: ReadonlySet<string> = new Set([...neverKept, 'pattern', 'minContains', 'maxContains', 'allOf']);

/** The schemas that Gemini accepts for a tool's arguments. */
export const geminiToolSchema: SchemaRules = {
  ...anySchema('Gemini'),
  rootUnions: true,
  constAsEnum: true,
  enums: 'words',
  requiredDefined: true,
  loneRefs: true,
  defsOnly: true,
};

/** The schemas that it enforces for an answer. */
export const geminiOutputSchema: SchemaRules = {
  ...geminiToolSchema,
  unknown,
  annotations: new Set(bareAnnotations),
  recursion: 'optional',
};
