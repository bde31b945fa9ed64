import { isList, isObject, numberOf } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import type { Losses } from './losses.ts';
import { flattened, refersElsewhere, restate, rooted, typesOf, type Draft, type LeftOut } from './schema-forms.ts';
import type { SchemaRules } from './schema-rules.ts';

/** Members whose values are maps of schemas, schemas, and lists of schemas. */
const maps = ['properties', '$defs', 'definitions'] as const;
const singles = ['items', 'additionalProperties', 'not', 'if', 'then', 'else', 'contains', 'propertyNames'] as const;
const lists = ['anyOf', 'oneOf', 'allOf', 'prefixItems'] as const;

/** The context of an adaptation. `kept`: the caller was promised that the answer follows the schema; otherwise it is a hint. */
interface Adaptation {
  readonly rules: SchemaRules;
  readonly at: string;
  readonly kept: boolean;
  readonly losses: Losses;
}

/**
 * The schema in the form that its target accepts. Keywords with an equivalent are rewritten. A constraint that the target does not support
 * is lost if the caller was promised that it holds; if it is a hint, it is left out and noted.
 */
export function outputSchema(schema: Json, rules: SchemaRules, at: string, kept: boolean, losses: Losses): Json {
  const adaptation: Adaptation = { rules, at: `${at}.schema`, kept, losses };
  if (!isObject(schema)) {
    losses.refuse(adaptation.at, 'is no JSON Schema of an object');
    return schema;
  }
  const { name, recursion, rootObject } = rules;
  const root = rooted(schema);
  if (recursion !== 'any' && recursive(root, recursion === 'optional'))
    losses.refuse(adaptation.at, `contains itself${recursion === 'optional' ? ' in required members' : ''}, which ${name} does not take`);
  if (refersElsewhere(root)) losses.refuse(`${adaptation.at}.$ref`, 'refers to a schema elsewhere, which no provider fetches');
  const types = typesOf(root);
  if (rootObject && types.length > 0 && !types.includes('object'))
    losses.refuse(`${adaptation.at}.type`, `is not that of an object, and ${name} answers with nothing else`);
  return node(root, adaptation);
}

/** Keywords that no API accepts at the root of a tool's arguments. */
const rootUnions = ['anyOf', 'oneOf', 'allOf', 'enum', 'not'] as const;

/** The schema of a tool's arguments: always an object with named members. */
export function toolSchema(schema: Json | null, rules: SchemaRules, at: string, losses: Losses): JsonObject {
  if (schema === null) return { type: 'object', properties: {} };
  if (!isObject(schema)) {
    losses.refuse(`${at}.parameters`, 'is no JSON Schema of an object');
    return { type: 'object', properties: {} };
  }
  const types = isList(schema['type']) ? schema['type'] : [schema['type']];
  const union = rootUnions.find((keyword) => Object.hasOwn(schema, keyword));
  if (union !== undefined && !rules.rootUnions)
    losses.refuse(`${at}.parameters.${union}`, `stands at the root, where ${rules.name} takes an object alone`);
  if (schema['type'] !== undefined && schema['type'] !== null && !types.includes('object'))
    losses.refuse(`${at}.parameters.type`, 'is not that of an object');
  const adapted = node(schema, { rules, at: `${at}.parameters`, kept: false, losses }) as JsonObject;
  return { ...adapted, type: 'object', ...(isObject(adapted['properties']) ? {} : { properties: {} }) };
}

function node(stated: Json | undefined, adaptation: Adaptation): Json {
  // `true` allows everything, as does the empty schema; `false` has no equivalent.
  if (stated === true) return {};
  if (!isObject(stated)) return stated ?? {};
  const value = flattened(stated);
  const out: Draft = {};
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined || key === '$schema' || key === 'nullable') continue;
    if (adaptation.rules.unknown.has(key) || (key === 'minItems' && (numberOf(inner) ?? 0) > adaptation.rules.minItems))
      leave(key, adaptation);
    else out[key] = inner;
  }
  if (value['nullable'] === true) nullable(out);
  modernise(out, adaptation);
  // For generating an answer, exactly one alternative (oneOf) is the same as any alternative (anyOf).
  if (out['oneOf'] !== undefined && out['anyOf'] === undefined && adaptation.rules.unknown.size > 0) {
    out['anyOf'] = out['oneOf'];
    delete out['oneOf'];
  }
  restate(out, adaptation.rules, leftOut(adaptation));
  within(out, adaptation);
  finish(out, value, adaptation);
  return out;
}

/** Adapts the schemas inside a node. */
function within(out: Draft, adaptation: Adaptation): void {
  for (const key of maps)
    if (isObject(out[key])) out[key] = Object.fromEntries(Object.entries(out[key]).map(([name, inner]) => [name, node(inner, adaptation)]));
  for (const key of singles) if (out[key] !== undefined && typeof out[key] !== 'boolean') out[key] = node(out[key], adaptation);
  for (const key of lists) if (isList(out[key])) out[key] = out[key].map((inner) => node(inner, adaptation));
}

/** Adds what the target requires of objects and lists. `value`: the node as it was stated. */
function finish(out: Draft, value: JsonObject, adaptation: Adaptation): void {
  if (adaptation.rules.closed) close(out, adaptation);
  if (adaptation.rules.requiredSome) requireOne(out, adaptation);
  const types = typesOf(out);
  // Some servers refuse an array without an item type.
  if (types.includes('array') && out['items'] === undefined && out['prefixItems'] === undefined)
    out['items'] = adaptation.rules.closed ? { type: 'string' } : {};
  if (types.includes('array') && value['items'] === undefined && adaptation.rules.closed) leave('items', adaptation);
}

function leftOut(adaptation: Adaptation): LeftOut {
  return {
    constraint: (keyword) => leave(keyword, adaptation),
    annotation: (keyword) => adaptation.losses.note(`${adaptation.at}.${keyword}`),
  };
}

/** Rewrites what older drafts of JSON Schema write in another way: the providers refuse it. */
function modernise(out: Draft, { rules }: Adaptation): void {
  const { items, additionalItems, required, properties } = out;
  if (isList(items)) {
    if (!rules.unknown.has('prefixItems')) out['prefixItems'] = items;
    if (additionalItems === undefined) delete out['items'];
    else out['items'] = additionalItems;
  }
  delete out['additionalItems'];
  for (const [exclusive, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof out[exclusive] !== 'boolean') continue;
    const limit = out[bound];
    // A member that is undefined is not written.
    const moves = out[exclusive] && limit !== undefined;
    Object.assign(out, moves ? { [exclusive]: limit, [bound]: undefined } : { [exclusive]: undefined });
  }
  // A member of its own in the third draft.
  if (required !== undefined && !isList(required)) delete out['required'];
  else if (isList(required) && rules.requiredDefined) {
    const defined = required.filter((name) => typeof name === 'string' && isObject(properties) && Object.hasOwn(properties, name));
    if (defined.length < required.length) out['required'] = defined;
  }
}

function leave(key: string, { at, kept, losses, rules: { name } }: Adaptation): void {
  if (kept) losses.lose(`${at}.${key}`, `${name} does not keep answers to it; dropped, answers may break it`);
  else losses.note(`${at}.${key}`);
}

/** Closes an object with named members; an object with arbitrary member names cannot be expressed. */
function close(out: Draft, { at, losses, rules: { name } }: Adaptation): void {
  if (!typesOf(out).includes('object') && !isObject(out['properties'])) return;
  const open = out['additionalProperties'];
  if (isObject(open) || !isObject(out['properties']))
    losses.refuse(`${at}.additionalProperties`, `members of any name are nothing that ${name} keeps answers to`);
  out['additionalProperties'] = false;
}

/** An object that requires nothing requires its first member: an answer that has it is right in the schema as it was stated, too. */
function requireOne(out: Draft, { at, losses, rules: { name } }: Adaptation): void {
  const { properties, required } = out;
  if (!typesOf(out).includes('object') && !isObject(properties)) return;
  const [first] = isObject(properties) ? Object.keys(properties) : [];
  if (first === undefined) losses.refuse(`${at}.properties`, `are not named in an object, which ${name} does not take`);
  else if (!isList(required) || required.length === 0) {
    out['required'] = [first];
    losses.note(`${at}.required`);
  }
}

function nullable(out: Draft): void {
  const types = typesOf(out);
  if (types.length > 0 && !types.includes('null')) out['type'] = [...types, 'null'];
  if (isList(out['enum']) && !out['enum'].includes(null)) out['enum'] = [...out['enum'], null];
}

/** Whether a definition refers back to itself, or to the root. `byRequired`: by way of members that are required. */
function recursive(root: JsonObject, byRequired: boolean): boolean {
  const defined = new Map<string, Json>();
  for (const group of ['$defs', 'definitions'] as const) {
    const found = root[group];
    if (isObject(found)) for (const [name, inner] of Object.entries(found)) defined.set(`#/${group}/${name}`, inner ?? null);
  }
  const done = new Set<string>();
  const visit = (value: Json | undefined, path: ReadonlySet<string>): boolean => {
    if (isList(value)) return value.some((inner) => visit(inner, path));
    if (!isObject(value)) return false;
    const ref = value['$ref'];
    if (typeof ref === 'string') {
      if (ref === '#' || path.has(ref)) return true;
      if (!done.has(ref) && visit(defined.get(ref), new Set([...path, ref]))) return true;
      done.add(ref);
    }
    const required = byRequired && isObject(value['properties']) ? value['required'] : undefined;
    return Object.entries(value).some(([key, inner]) => {
      if (key === '$defs' || key === 'definitions') return false;
      if (key !== 'properties' || !byRequired || !isObject(inner)) return visit(inner, path);
      return isList(required) && required.some((name) => typeof name === 'string' && visit(inner[name], path));
    });
  };
  return visit(root, new Set()) || [...defined].some(([name, inner]) => visit(inner, new Set([name])));
}
