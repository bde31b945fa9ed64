import type { z } from 'zod';
import { meantLabel } from './labels.ts';
import { didYouMean, nearest } from './nearest.ts';
import { policySchema } from './schema.ts';
import type { SourceFile } from './source-map.ts';
import type { Problem } from './types.ts';

/** YAML's names for the schema's types. */
const words: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a map (keys and values)',
  record: 'a map (keys and values)',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

/** Longest value shown in full, in UTF-16 units. Longer ones would be cut, and a cut secret is no longer recognised. */
const shownUnits = 48;

/**
 * Turns a schema issue into problems for people: where it is, what was found there, and what would be right. `value` is the value there.
 */
export function schemaProblems(source: SourceFile, issue: z.core.$ZodIssue, value: unknown): Problem[] {
  const at = (code: string, message: string, fix: string): Problem => source.problem('error', code, issue.path, message, fix);
  const about = meaning(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path);
    return issue.keys.map((key) =>
      source.problem(
        'error',
        'unknown-key',
        [...issue.path, key],
        `there is no setting called ${key} here`,
        didYouMean(key, known, known.length === 0 ? 'Remove it.' : `Known: ${known.join(', ')}.`),
      ),
    );
  }
  if (issue.code === 'invalid_type' || issue.code === 'invalid_value') {
    const wanted =
      issue.code === 'invalid_type'
        ? (words[issue.expected] ?? issue.expected)
        : issue.values.length === 1
          ? String(issue.values[0])
          : `one of ${issue.values.map(String).join(', ')}`;
    const name = String(issue.path.at(-1));
    if (value === undefined && issue.path.length > 0)
      return [
        at(
          'missing',
          `${name} is missing`,
          issue.code === 'invalid_value' && issue.values.length === 1 ? `Add \`${name}: ${wanted}\`.` : `Add it: ${wanted}.${about}`,
        ),
      ];
    const right = issue.code === 'invalid_value' ? likelyValue(value, issue.values) : likelyForm(value, issue.expected, issue.path);
    return [
      at(
        'schema',
        `expected ${wanted}, found ${found(value)}`,
        right ?? (about === '' ? 'docs/policy.md says what is allowed here.' : about.trim()),
      ),
    ];
  }
  const message = lowerFirst(issue.message.replace(/^Invalid (?:input|option): /, ''));
  if (issue.code === 'too_big' || issue.code === 'too_small') return [at('range', message, `Choose a value within that range.${about}`)];
  if (issue.code === 'invalid_format') {
    if (issue.format === 'url') return [at('schema', `${found(value)} is no URL`, 'Begin with https://, as https://api.example.com.')];
    return [
      at('schema', `expected ${message}, found ${found(value)}`, about === '' ? 'docs/policy.md says what is allowed here.' : about.trim()),
    ];
  }
  if (issue.code === 'invalid_union') {
    const wanted = about === '' ? 'docs/policy.md says what is allowed here.' : about.trim();
    if (value === undefined && issue.path.length > 0)
      return [at('missing', `${String(issue.path.at(-1))} is missing`, `Add it. ${wanted}`)];
    return [at('schema', `${found(value)} is not allowed here`, wanted)];
  }
  return [at('schema', message, 'docs/policy.md says what is allowed here.')];
}

function found(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'string') return value.length > shownUnits ? 'a text' : `the text ${JSON.stringify(value)}`;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeof value;
}

/** The value of a closed list that was probably meant. */
function likelyValue(value: unknown, values: readonly (string | number | bigint | boolean | symbol | null | undefined)[]): string | null {
  const same = values.find((one) => typeof one !== typeof value && String(one) === String(value));
  if (same !== undefined) return `Write ${String(same)}${typeof value === 'string' ? ', without quotes' : ''}.`;
  const names = values.map(String);
  if (value === true || value === 'on') return names.includes('on') ? 'Write on.' : names.includes('enabled') ? 'Write enabled.' : null;
  if (value === false) return names.includes('off') ? 'Write off.' : null;
  const ending = endingOf(value);
  if (ending !== null && names.includes(ending)) return `Statuses have names here: write ${ending}.`;
  const likely = typeof value === 'string' ? (meantLabel(value, names) ?? nearest(value, names, 1)[0]) : undefined;
  return likely === undefined ? null : `Did you mean ${likely}?`;
}

/** The name of an attempt's end for a status that was written instead: `429`, `5xx`. */
function endingOf(value: unknown): string | null {
  const status = /^(?:retriable-)?(\d{3}|5xx)$/i.exec(String(value))?.[1]?.toLowerCase();
  if (status === undefined) return null;
  return (
    {
      '429': 'rate-limit',
      '408': 'timeout',
      '504': 'timeout',
      '529': 'overloaded',
      '503': 'overloaded',
      '404': 'model-gone',
      '401': 'key-dead',
    }[status] ?? (status.startsWith('5') ? 'server-error' : null)
  );
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, sec: 1, m: 60, min: 60, h: 3_600, d: 86_400 };

/** The same value in the expected form, if it can be determined. */
function likelyForm(value: unknown, expected: string, path: readonly PropertyKey[]): string | null {
  if (expected === 'array' && (typeof value === 'string' || typeof value === 'number') && String(value).length <= shownUnits)
    return `Write [${String(value)}].`;
  if ((expected === 'number' || expected === 'int') && typeof value === 'string') {
    const digits = /^\s*[$€]?\s*(\d+(?:\.\d+)?)\s*$/.exec(value)?.[1];
    if (digits !== undefined) return `Write ${digits}, without quotes or signs.${meaning(path)}`;
    const [, count, unit] = /^\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)\s*$/i.exec(value) ?? [];
    if (unit !== undefined && /seconds/i.test(`${meaning(path)} ${String(path.at(-1))}`))
      return `Write ${Number(count) * unitSeconds[unit.toLowerCase()]!}.${meaning(path)}`;
  }
  if (expected === 'object') {
    const known = knownKeys(path);
    if (known.includes('mode') && ['on', 'off'].includes(String(value))) return `Write { mode: ${String(value)} }.`;
    // A setting in the place of a map that would have it: the map's own name was left out, a level above.
    if (known.includes(String(path.at(-1))) && path.length > 2)
      return `${String(path.at(-3))} has a level more: write ${path[0] === 'catalog' ? 'PROVIDER' : 'NAME'}: { ${String(path.at(-2))}: { ${String(path.at(-1))}: … } } under it.`;
    return known.length === 0 ? null : `Write keys under it: ${known.join(', ')}.`;
  }
  if (expected === 'boolean' && /^(?:yes|on|no|off|true|false)$/i.test(String(value)))
    return `Write ${String(/^(?:yes|on|true)$/i.test(String(value)))}, without quotes.${meaning(path)}`;
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return `Put it in quotes: "${String(value)}".`;
  return null;
}

/** The meaning of a setting, to append to a sentence; empty if it has no description. */
function meaning(path: readonly PropertyKey[]): string {
  let schema: unknown = schemaAt(path);
  // The description of a list entry or an optional setting may be on its wrapper.
  for (;;) {
    const { description, def } = (schema ?? {}) as { readonly description?: string; readonly def?: Definition };
    if (description !== undefined && description !== '') return ` ${String(path.at(-1))}: ${description}.`;
    if (def?.innerType === undefined) return '';
    schema = def.innerType;
  }
}

/** The keys that the schema knows at a path; empty if keys are free. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  return Object.keys(unwrap(schemaAt(path))?.shape ?? {});
}

function schemaAt(path: readonly PropertyKey[]): unknown {
  let schema: unknown = policySchema;
  for (const key of path) {
    const definition = unwrap(schema);
    if (definition?.type === 'object') schema = definition.shape?.[String(key)];
    else if (definition?.type === 'array') schema = definition.element;
    else if (definition?.type === 'record') schema = definition.valueType;
    else return undefined;
  }
  return schema;
}

interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly element?: unknown;
  readonly valueType?: unknown;
  readonly innerType?: unknown;
}

function unwrap(schema: unknown): Definition | null {
  let definition = (schema as { def?: Definition } | undefined)?.def ?? null;
  while (definition !== null && definition.innerType !== undefined) definition = (definition.innerType as { def: Definition }).def;
  return definition;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
