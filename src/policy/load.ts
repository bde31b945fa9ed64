import type { z } from 'zod';
import { didYouMean, nearest } from './nearest.ts';
import { policySchema, type PolicyDocument } from './schema.ts';
import { findSecrets } from './secrets.ts';
import { SourceFile, type PolicyFile } from './source-map.ts';
import type { Problem } from './types.ts';

/** One file of a policy that fits the schema. */
export interface LoadedFile {
  readonly source: SourceFile;
  readonly document: PolicyDocument;
}

/** A problem of a whole file. */
export function plainProblem(file: string, code: string, message: string, fix: string): Problem {
  return { level: 'error', code, file, line: 1, column: 1, path: '', message, fix };
}

/** Deeper than any policy; the YAML library recurses. */
const tooDeep = /(?:[[{]\s*(?:[\w"'-]+\s*:\s*)?){64}|^[ \t]*(?:[-?][ \t]+){64}/m;

/** Parses one file and holds it against the schema. Null, with problems added, when it does not fit. Never throws. */
export function loadFile(file: PolicyFile, problems: Problem[]): LoadedFile | null {
  if (tooDeep.test(file.text)) {
    problems.push(plainProblem(file.name, 'yaml', 'lists or maps are nested more than 64 deep', 'No policy needs that; flatten it.'));
    return null;
  }
  let source: SourceFile;
  let value: unknown;
  try {
    source = new SourceFile(file);
    for (const secret of findSecrets(file.text)) {
      problems.push({
        ...source.problemAt('error', 'secret', secret.start, `this looks like ${secret.kind}`, 'Keep keys in a Secret and name its file in credentialFile; then revoke this one.'),
      });
    }
    const syntax = source.syntaxProblems();
    if (syntax.length > 0) {
      problems.push(...syntax);
      return null;
    }
    value = source.value();
  } catch (error) {
    problems.push(plainProblem(file.name, 'yaml', lowerFirst(error instanceof Error ? error.message : String(error)), 'Write plain keys, flat lists and few aliases.'));
    return null;
  }
  if (value === null || value === undefined) {
    problems.push(source.problem('error', 'empty', [], 'the file is empty', 'Write at least `version: 1`, or remove the file.'));
    return null;
  }
  const parsed = policySchema.safeParse(value);
  if (parsed.success) return { source, document: parsed.data };
  for (const issue of parsed.error.issues) problems.push(...schemaProblems(source, issue, valueAt(value, issue.path)));
  return null;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((node, key) => (typeof node === 'object' && node !== null ? (node as Record<PropertyKey, unknown>)[key] : undefined), value);
}

function schemaProblems(source: SourceFile, issue: z.core.$ZodIssue, value: unknown): Problem[] {
  const message = lowerFirst(issue.message.replace(/^Invalid (?:input|option): /, ''));
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path);
    return issue.keys.map((key) =>
      source.problem('error', 'unknown-key', [...issue.path, key], `there is no setting called ${key} here`, didYouMean(key, known, known.length === 0 ? 'Remove it.' : `Known: ${known.join(', ')}.`)),
    );
  }
  if (value === undefined && issue.path.length > 0) return [source.problem('error', 'missing', issue.path, `${String(issue.path.at(-1))} is missing`, `Add it: ${message}.`)];
  if (issue.code === 'invalid_value') {
    const likely = typeof value === 'string' ? nearest(value, issue.values.map(String), 1) : [];
    return [source.problem('error', 'schema', issue.path, message, likely.length === 0 ? `Write one of ${issue.values.map(String).join(', ')}.` : `Did you mean ${likely[0]!}?`)];
  }
  if (issue.code === 'too_big' || issue.code === 'too_small') return [source.problem('error', 'range', issue.path, message, 'Choose a value within that range.')];
  return [source.problem('error', 'schema', issue.path, message, 'docs/policy.md says what is allowed here.')];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The keys that the schema knows at a path; empty where keys are free. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: unknown = policySchema;
  for (const key of path) {
    const definition = unwrap(schema);
    if (definition?.type === 'object') schema = definition.shape?.[String(key)];
    else if (definition?.type === 'array') schema = definition.element;
    else if (definition?.type === 'record') schema = definition.valueType;
    else return [];
  }
  return Object.keys(unwrap(schema)?.shape ?? {});
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
