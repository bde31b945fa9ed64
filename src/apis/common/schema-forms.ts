import { isList, isObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { descriptive, type SchemaRules } from './schema-rules.ts';

export type Draft = Record<string, Json>;

/** What was left out of a schema: constraints, and keywords that constrain nothing. */
export interface LeftOut {
  constraint(keyword: string): void;
  annotation(keyword: string): void;
}

/** A node's types; empty if it states none. */
export function typesOf(schema: JsonObject): readonly Json[] {
  const { type } = schema;
  return isList(type) ? type : type === undefined ? [] : [type];
}

/** A node whose `allOf` has one part, as that part: many generators write a described reference so. */
export function flattened(value: JsonObject): JsonObject {
  const { allOf, ...rest } = value;
  const only = isList(allOf) && allOf.length === 1 ? allOf[0] : undefined;
  if (!isObject(only)) return value;
  const clash = Object.keys(only).some((key) => Object.hasOwn(rest, key) && !descriptive.has(key));
  return clash ? value : flattened({ ...only, ...rest });
}

/** A root that refers to one of its definitions, as that definition. */
export function rooted(root: JsonObject): JsonObject {
  const { $ref, ...rest } = root;
  const [, group, name] = typeof $ref === 'string' ? (/^#\/(\$defs|definitions)\/([^/]+)$/.exec($ref) ?? []) : [];
  const defined = group === undefined ? undefined : root[group];
  const found = isObject(defined) && name !== undefined && Object.hasOwn(defined, name) ? defined[name] : undefined;
  if (!isObject(found) || rest['type'] !== undefined || rest['properties'] !== undefined) return root;
  return { ...found, ...rest };
}

/** Whether a schema refers to one that is elsewhere. */
export function refersElsewhere(value: Json | undefined): boolean {
  if (isList(value)) return value.some(refersElsewhere);
  if (!isObject(value)) return false;
  const ref = value['$ref'];
  if (typeof ref === 'string' && !ref.startsWith('#')) return true;
  return Object.values(value).some(refersElsewhere);
}

/** Writes what one node says in the target's own form. */
export function restate(out: Draft, rules: SchemaRules, left: LeftOut): void {
  leaveAnnotations(out, rules, left);
  refer(out, rules, left);
  const { format, pattern } = out;
  if (typeof format === 'string' && rules.formats !== null && !rules.formats.has(format)) leave(out, 'format', left);
  if (typeof pattern === 'string') {
    const taken = rules.pattern(pattern);
    if (taken === null) leave(out, 'pattern', left);
    else out['pattern'] = taken;
  }
  writeConstant(out, rules, left);
  writeEnum(out, rules, left);
  if (rules.oneType) splitTypes(out);
}

function leave(out: Draft, keyword: string, left: LeftOut): void {
  Reflect.deleteProperty(out, keyword);
  left.constraint(keyword);
}

function leaveAnnotations(out: Draft, { annotations }: SchemaRules, left: LeftOut): void {
  if (annotations.size === 0) return;
  for (const key of Object.keys(out))
    if (annotations.has(key) || key.startsWith('x-')) {
      Reflect.deleteProperty(out, key);
      left.annotation(key);
    }
}

function refer(out: Draft, { defsOnly, loneRefs }: SchemaRules, left: LeftOut): void {
  const { definitions } = out;
  if (defsOnly && isObject(definitions)) {
    out['$defs'] = { ...definitions, ...(isObject(out['$defs']) ? out['$defs'] : {}) };
    delete out['definitions'];
  }
  const { $ref } = out;
  if (typeof $ref !== 'string') return;
  if (defsOnly) out['$ref'] = $ref.replace(/^#\/definitions\//, '#/$defs/');
  if (!loneRefs) return;
  for (const key of Object.keys(out)) {
    if (key.startsWith('$')) continue;
    Reflect.deleteProperty(out, key);
    if (descriptive.has(key)) left.annotation(key);
    else left.constraint(key);
  }
}

function writeConstant(out: Draft, { constAsEnum, enums }: SchemaRules, left: LeftOut): void {
  const value = out['const'];
  if (value === undefined) return;
  if (enums !== 'any' && (isObject(value) || isList(value))) leave(out, 'const', left);
  else if (!constAsEnum) return;
  else if (value === null) {
    delete out['const'];
    out['type'] = 'null';
  } else if (typeof value === 'boolean') {
    leave(out, 'const', left);
    out['type'] ??= 'boolean';
  } else {
    delete out['const'];
    out['enum'] = [value];
  }
}

function writeEnum(out: Draft, { enums }: SchemaRules, left: LeftOut): void {
  const values = out['enum'];
  if (!isList(values) || enums === 'any') return;
  if (values.some((value) => isObject(value) || isList(value))) return leave(out, 'enum', left);
  if (enums === 'plain') return;
  if (values.some((value) => typeof value === 'boolean')) {
    const both = [true, false].every((value) => values.includes(value));
    if (both && values.length === 2) delete out['enum'];
    else leave(out, 'enum', left);
  } else if (values.includes(null) && out['anyOf'] === undefined) split(out, ['null', ...typesOf(out).filter((type) => type !== 'null')]);
}

function splitTypes(out: Draft): void {
  const types = typesOf(out);
  if (types.length === 1) out['type'] = types[0]!;
  else if (types.length > 1 && out['anyOf'] === undefined) split(out, types);
}

/** Writes a node as one alternative for each type. */
function split(out: Draft, types: readonly Json[]): void {
  const own: Draft = {};
  for (const key of Object.keys(out)) {
    if (key === '$defs' || key === 'definitions' || descriptive.has(key)) continue;
    own[key] = out[key]!;
    Reflect.deleteProperty(out, key);
  }
  delete own['type'];
  const values = own['enum'];
  if (isList(values)) own['enum'] = values.filter((value) => value !== null);
  const some = types.filter((type) => type !== 'null');
  const alternatives: Json[] = some.length === 0 ? [own] : some.map((type) => ({ ...own, type }));
  out['anyOf'] = types.includes('null') ? [...alternatives, { type: 'null' }] : alternatives;
}
