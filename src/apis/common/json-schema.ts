import { Ajv2020, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { limits } from '../../lib/limits.ts';

const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });

/** Compiled schemas by their text, oldest first; null if the schema cannot be compiled. */
const compiled = new Map<string, ValidateFunction | null>();

/** Whether a value follows a JSON Schema. True if the schema cannot be compiled: it cannot reject anything. */
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
    // A schema's own $id would stay registered beyond the bound and clash with the next schema of the same $id.
    const anonymous: AnySchemaObject = { ...schema };
    delete anonymous.$id;
    return ajv.compile(anonymous);
  } catch {
    return null;
  }
}
