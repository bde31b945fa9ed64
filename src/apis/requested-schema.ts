import { apis } from './registry.ts';
import type { ApiName } from './types.ts';

/**
 * The JSON Schema that a request asks its answer to follow; null when there is none, the API writes it in a form of its own
 * (Gemini's responseSchema), or the body is no JSON. Parses the whole body: for requests whose policy watches for it.
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
