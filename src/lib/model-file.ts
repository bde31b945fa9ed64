import type { z } from 'zod';
import { SluiceError } from './errors.ts';
import { readBytes } from './read-file.ts';
import { limits } from './limits.ts';

/**
 * Parses the header of a model file as JSON and validates it with the schema that `schema` makes; null for a file that comes with Sluice,
 * which tests check: a schema is made and applied only for a file of somebody else's, since it takes time at every start. Throws the error
 * that `bad` makes from a message.
 */
export function modelHeader<T>(text: string, schema: (() => z.ZodType<T>) | null, bad: (message: string) => SluiceError): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad('The header is not JSON.');
  }
  if (schema === null) return json as T;
  const parsed = schema().safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw bad(`The header does not fit: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}.`);
}

/** Reads a model file. Throws SLUICE_FILE_UNREADABLE, or SLUICE_MODEL_INVALID if it is too large. */
export function modelBytes(file: string): Buffer {
  const bytes = readBytes(file);
  if (bytes.length > limits.modelFileBytes)
    throw new SluiceError(
      'SLUICE_MODEL_INVALID',
      `The file has ${bytes.length} bytes, more than the ${limits.modelFileBytes} that are read.`,
      { where: file },
    );
  return bytes;
}
