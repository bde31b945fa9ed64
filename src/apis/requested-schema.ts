import { apis } from './registry.ts';
import type { ApiName } from './types.ts';

/**
 * The JSON Schema that a request asks its answer to follow. Null when there is none, when the API writes it in its own form (Gemini's
 * responseSchema), or when the body is not JSON. Parses the whole body: only for requests whose policy needs it.
 */
export function requestedSchema(api: ApiName, body: Buffer): object | null {
  const places = apis[api].request.schemaAt;
  if (places.length === 0) return null;
  let request: unknown;
  try {
    request = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  for (const place of places) {
    let value = request;
    for (const name of place)
      value = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : null;
    if (typeof value === 'object' && value !== null) return value;
  }
  return null;
}
