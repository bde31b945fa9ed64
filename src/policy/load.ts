import { placeOf } from './example-file.ts';
import { policySchema, type PolicyDocument } from './schema.ts';
import { schemaProblems } from './schema-problems.ts';
import { findSecrets } from './secrets.ts';
import { SourceFile, type PolicySource } from './source-map.ts';
import type { PolicyFile, Problem } from './types.ts';
import { messageOf } from '../lib/message-of.ts';

/** One policy file that matches the schema. */
export interface LoadedFile {
  readonly source: PolicySource;
  readonly document: PolicyDocument;
}

/** A problem of a whole file. */
export function plainProblem(file: string, code: string, message: string, fix: string): Problem {
  return { level: 'error', code, file, line: 1, column: 1, path: '', message, fix };
}

/** Keys in a file of examples, which is no YAML: prompts that people sent may contain some. */
export function secretProblems(file: PolicyFile): Problem[] {
  return findSecrets(file.text).map(({ start, kind }) => ({
    level: 'error',
    code: 'secret',
    file: file.name,
    ...placeOf(file, file.text.slice(0, start).split('\n').length),
    path: '',
    message: `this looks like ${kind}`,
    fix: 'Remove it from the prompt; then revoke it.',
  }));
}

/** Like `LoadedFile`, with the positions of what is in it. */
export interface ReadFile extends LoadedFile {
  readonly source: SourceFile;
}

/** Nesting deeper than any real policy; the YAML library is recursive. */
const tooDeep = /(?:[[{]\s*(?:[\w"'-]+\s*:\s*)?){64}|^[ \t]*(?:[-?][ \t]+){64}/m;

/** Parses one file and checks it against the schema. Returns null and adds problems if it does not match. Never throws. */
export function loadFile(file: PolicyFile, problems: Problem[]): ReadFile | null {
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
        ...source.problemAt(
          'error',
          'secret',
          secret.start,
          `this looks like ${secret.kind}`,
          'Keep keys in a Secret and name its file in credentialFile; then revoke this one.',
        ),
      });
    }
    const syntax = source.syntaxProblems();
    if (syntax.length > 0) {
      problems.push(...syntax);
      return null;
    }
    value = source.value();
  } catch (error) {
    problems.push(plainProblem(file.name, 'yaml', lowerFirst(messageOf(error)), 'Write plain keys, flat lists and few aliases.'));
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
  return path.reduce<unknown>(
    (node, key) => (typeof node === 'object' && node !== null ? (node as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
