import type { z } from 'zod';
import { limits } from '../lib/limits.ts';
import { meantLabel } from './labels.ts';
import { nearest } from './nearest.ts';
import { exampleLine, type ExampleDocument } from './options/classifier.ts';
import type { PolicyFile, Problem } from './types.ts';

/** An example in a file, and the line that it is on. */
type FileExample = ExampleDocument & { readonly line: number };

export interface ExampleFile {
  readonly examples: readonly FileExample[];
  /** What is wrong with it, by line. */
  readonly problems: readonly Problem[];
}

/** Most problems of one file that are shown. */
const mostProblems = 20;

/** Whether a file of a policy holds examples for the classifier. Sections name it; it is no policy text itself. */
export function isExampleFile({ name }: Pick<PolicyFile, 'name'>): boolean {
  return name.endsWith('.jsonl');
}

/** The name of the file `named` beside the policy file `beside`: in the same folder, the same ConfigMap, or the same manifest. */
export function besideName(beside: string, named: string): string {
  return beside.slice(0, Math.max(beside.lastIndexOf('/'), beside.lastIndexOf('#')) + 1) + named;
}

/** The names of the files of examples that a policy's text may mean: those that exist are read with it. */
export function exampleFilesNamed(text: string): string[] {
  return [...new Set([...text.matchAll(/\bfile["']?[ \t]*:[ \t]*["']?([A-Za-z0-9][\w.-]{0,246}\.jsonl)\b/g)].map(([, name]) => name!))];
}

const read = new WeakMap<PolicyFile, ExampleFile>();

/** Reads a file of examples: one JSON object a line, empty lines ignored. Never throws. */
export function readExampleFile(file: PolicyFile): ExampleFile {
  let found = read.get(file);
  if (found === undefined) read.set(file, (found = parseExamples(file)));
  return found;
}

function parseExamples(file: PolicyFile): ExampleFile {
  const examples: FileExample[] = [];
  const problems: Problem[] = [];
  for (const [at, text] of file.text.split(/\r?\n/).entries()) {
    if (text.trim() === '' || problems.length >= mostProblems) continue;
    const say = (code: string, path: string, message: string, fix: string): void => {
      problems.push({ level: 'error', code, file: file.name, ...placeOf(file, at + 1), path, message, fix });
    };
    const value = parsed(text);
    if (value === undefined) {
      say('example-line', '', 'this line is no JSON object', 'Write one object a line: {"prompt":"…","task":"code"}.');
      continue;
    }
    const result = exampleLine.safeParse(value);
    if (result.success) examples.push({ ...result.data, line: at + 1 });
    else for (const issue of result.error.issues) say('example-line', issue.path.join('.'), ...wrong(issue, value));
  }
  if (examples.length === 0 && problems.length === 0)
    problems.push({
      level: 'error',
      code: 'example-line',
      file: file.name,
      ...placeOf(file, 1),
      path: '',
      message: 'there is no example in this file',
      fix: 'Write one object a line: {"prompt":"…","task":"code"}, or take the file out of the policy.',
    });
  return { examples, problems };
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Where a line of the file is in what the user wrote: the manifest's line if the file is part of one. */
export function placeOf({ at, lineOffset = 0, columnOffset = 0 }: PolicyFile, line: number): Pick<Problem, 'line' | 'column'> {
  return at ?? { line: line + lineOffset, column: 1 + columnOffset };
}

function wrong(issue: z.core.$ZodIssue, row: Record<string, unknown>): [message: string, fix: string] {
  const key = String(issue.path.at(-1) ?? '');
  const value = row[key];
  if (key === 'prompt') {
    if (value === undefined) return ['prompt is missing', 'Add it: what the user asks, without the system prompt.'];
    if (typeof value !== 'string') return ['the prompt is no text', 'Write what the user asks, in quotes.'];
    return value.trim() === ''
      ? ['the prompt is empty', 'Write what the user asks, or remove the line.']
      : [
          `the prompt has more than ${limits.examplePromptUnits} characters`,
          'Keep what the user asks; the material around it does not count.',
        ];
  }
  if (issue.code === 'invalid_value') {
    const names = issue.values.map(String);
    const shown = typeof value === 'string' && value.length <= 40 ? JSON.stringify(value) : 'this value';
    const meant = typeof value === 'string' ? (meantLabel(value, names) ?? nearest(value, names, 1)[0]) : undefined;
    const known = names.filter((one) => one !== 'agent' && one !== 'unknown').join(', ');
    return [`${shown} is no ${key.replace('expected_', '')}`, meant === undefined ? `Known: ${known}.` : `Did you mean ${meant}?`];
  }
  if (key === 'level') return ['the level is no number from 1 to 5', 'Write 1 (everyday) to 5 (expert), without quotes.'];
  if (key === 'name') return ['this name cannot stand in a record', 'Use lower-case letters, digits, dots and dashes, at most 63.'];
  return [issue.message, 'docs/classifier.md says what a line may have.'];
}
