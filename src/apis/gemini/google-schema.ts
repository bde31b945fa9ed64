import { isList, isObject, list, text } from '../common/json.ts';
import type { Json } from '../common/json.ts';

/** Numbers that Google's JSON writes as strings, because they have 64 bits. */
const wide: ReadonlySet<string> = new Set(['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties']);

/** Converts Google's own Schema (a part of OpenAPI 3.0, types in capitals) to JSON Schema. */
export function jsonSchemaOf(schema: Json): Json {
  if (!isObject(schema)) return schema;
  const nullable = schema['nullable'] === true;
  const entries: [string, Json][] = [];
  for (const [name, value] of Object.entries(schema)) {
    if (value === undefined || value === null) continue;
    switch (name) {
      case 'nullable':
      case 'propertyOrdering':
      case 'property_ordering':
        break;
      case 'type': {
        const type = (text(value) ?? '').toLowerCase();
        if (type !== 'type_unspecified') entries.push(['type', nullable ? [type, 'null'] : type]);
        break;
      }
      case 'enum':
        entries.push(['enum', nullable ? [...list(value), null] : value]);
        break;
      case 'example':
        entries.push(['examples', [value]]);
        break;
      case 'properties':
        entries.push([
          'properties',
          isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonSchemaOf(inner ?? null)])) : value,
        ]);
        break;
      case 'items':
        entries.push(['items', jsonSchemaOf(value)]);
        break;
      case 'anyOf':
      case 'any_of':
        entries.push(['anyOf', list(value).map(jsonSchemaOf)]);
        break;
      default: {
        const camel = name.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
        entries.push([camel, wide.has(camel) && typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value]);
      }
    }
  }
  return Object.fromEntries(entries);
}

/** The schema of an answer as Gemini keeps to it: its objects have the named members and no others. */
export function closed(schema: Json): Json {
  if (isList(schema)) return schema.map(closed);
  if (!isObject(schema)) return schema;
  const out: Record<string, Json> = { ...schema } as Record<string, Json>;
  const { properties } = schema;
  if (isObject(properties)) {
    out['properties'] = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, closed(inner ?? null)]));
    out['additionalProperties'] ??= false;
  }
  for (const key of ['items', 'anyOf'] as const) if (schema[key] !== undefined) out[key] = closed(schema[key]);
  return out;
}
