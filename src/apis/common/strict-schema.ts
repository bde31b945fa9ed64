import { isList, isObject, list, member } from './json.ts';
import type { Json } from './json.ts';
import { neverTaken } from './schema-rules.ts';

const refused: readonly string[] = [...neverTaken, 'allOf', 'oneOf', 'minContains', 'maxContains', 'prefixItems'];

/**
 * Whether OpenAI's strict mode accepts a JSON schema: an object at the root, every object closed (`additionalProperties: false`) with all
 * its members required, and no keyword that it refuses.
 */
export function fitsStrict(schema: Json | null): boolean {
  if (schema === null) return true;
  return member(schema, 'type') === 'object' && strictNode(schema);
}

function strictNode(node: Json | undefined): boolean {
  if (!isObject(node)) return node === undefined;
  if (refused.some((keyword) => Object.hasOwn(node, keyword))) return false;
  const properties = node['properties'];
  const types = isList(node['type']) ? node['type'] : [node['type']];
  if (types.includes('object') || properties !== undefined) {
    if (node['additionalProperties'] !== false) return false;
    const required = new Set(list(node['required']));
    if (!Object.keys(isObject(properties) ? properties : {}).every((name) => required.has(name))) return false;
  }
  const inner = [properties, node['$defs'], node['definitions']].flatMap((group) => (isObject(group) ? Object.values(group) : []));
  return [...inner, ...list(node['anyOf']), ...(node['items'] === undefined ? [] : [node['items']])].every(strictNode);
}
