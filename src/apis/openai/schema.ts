import { anySchema, type SchemaRules } from '../common/target-schema.ts';

/** The schemas that OpenAI accepts for a tool's arguments and for an answer. */
export const openaiSchema: SchemaRules = anySchema('OpenAI');
