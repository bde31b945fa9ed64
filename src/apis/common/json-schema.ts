import { Ajv2020, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { ApiName } from '../types.ts';
import { limits } from '../../lib/limits.ts';

const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });

/** Compiled schemas by their text, oldest first; null: not a schema that can be compiled. */
const compiled = new Map<string, ValidateFunction | null>();

/** Whether a value follows a JSON Schema. A schema that cannot be compiled judges nothing: true. */
export function matchesSchema(schema: object, value: unknown): boolean {
  const key = JSON.stringify(schema);
  let validate = compiled.get(key);
  if (validate === undefined) {
    validate = compile(schema);
    if (compiled.size >= limits.answerSchemas) compiled.delete(compiled.keys().next().value ?? '');
    compiled.set(key, validate);
  }
  return validate === null || validate(value);
}

function compile(schema: object): ValidateFunction | null {
  try {
    // A schema's own $id would be remembered beyond the bound and clash with the next one of that name.
    const anonymous: AnySchemaObject = { ...schema };
    delete anonymous.$id;
    return ajv.compile(anonymous);
  } catch {
    return null;
  }
}

/**
 * The JSON Schema that a request asks its answer to follow; null when there is none, the API writes it in a form of its own
 * (Gemini's responseSchema), or the body is no JSON. Parses the whole body: for requests whose policy watches for it.
 */
export function requestedSchema(api: ApiName, body: Buffer): object | null {
  let request: unknown;
  try {
    request = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  const at = (...path: readonly string[]): object | null => {
    let value = request;
    for (const name of path) value = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : null;
    return typeof value === 'object' ? value : null;
  };
  switch (api) {
    case 'openai-chat':
      return at('response_format', 'json_schema', 'schema');
    case 'openai-responses':
      return at('text', 'format', 'schema');
    case 'anthropic-messages':
      return at('output_config', 'format', 'schema') ?? at('output_format', 'schema');
    case 'gemini-generate':
      return at('generationConfig', 'responseJsonSchema');
    default:
      return null;
  }
}
