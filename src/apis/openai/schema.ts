import { anySchema, type SchemaRules } from '../common/target-schema.ts';

/** What OpenAI takes as a tool's arguments and as the form of an answer. */
export const openaiSchema: SchemaRules = anySchema('OpenAI');
