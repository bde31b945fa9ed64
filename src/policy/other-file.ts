import type { LoadedFile } from './load.ts';
import type { PolicyDocument } from './schema.ts';
import type { Problem } from './types.ts';

/** Adds the name of the other file to problems of duplicate definitions: whoever has to fix it may never have seen that file. */
export function namingOthers(problems: readonly Problem[], loaded: readonly LoadedFile[]): readonly Problem[] {
  if (loaded.length < 2) return problems;
  return problems.map((problem) => {
    if (problem.level !== 'error' || (problem.code !== 'twice' && problem.code !== 'unreachable')) return problem;
    const at = loaded.findIndex(({ source }) => source.file.name === problem.file);
    const said = at === -1 ? null : saidBy(loaded[at]!.document, problem);
    const first = said === null ? undefined : loaded.slice(0, at).find(({ document }) => said(document));
    return first === undefined ? problem : { ...problem, message: `${problem.message} (first in ${first.source.file.name})` };
  });
}

/** A test whether another document defines the same as a problem's place; null if unknown. */
function saidBy(document: PolicyDocument, { code, path, message }: Problem): ((other: PolicyDocument) => boolean) | null {
  const values = (of: PolicyDocument): Record<string, unknown> => of;
  if (code === 'unreachable') {
    // The message names the sections that match its requests.
    const names = /: (.+) before it match the same requests$/.exec(message)?.[1]?.split(' and ');
    return names === undefined ? null : (other) => (other.sections ?? []).some(({ name }) => names.includes(name));
  }
  const [, key, index] = /^([a-z]\w*)(?:\[(\d+)\])?/i.exec(path) ?? [];
  if (key === undefined) return null;
  if (index !== undefined) {
    const nameOf = (entry: unknown): unknown => (entry as { readonly name?: unknown } | undefined)?.name;
    const name = nameOf((values(document)[key] as readonly unknown[] | undefined)?.[Number(index)]);
    return name === undefined
      ? null
      : (other) => ((values(other)[key] ?? []) as readonly unknown[]).some((entry) => nameOf(entry) === name);
  }
  // `providers.mine`, `catalog.overrides.openai.gpt-5.1`: the map's keys down to the duplicate one.
  return (other) => contains(other, path.split('.'));
}

/** Names may contain dots, so the rest of a path may be one key. */
function contains(value: unknown, keys: readonly string[]): boolean {
  if (keys.length === 0) return value !== undefined;
  if (typeof value !== 'object' || value === null) return false;
  return keys.some((_, at) => {
    const key = keys.slice(0, at + 1).join('.');
    return Object.hasOwn(value, key) && contains((value as Record<string, unknown>)[key], keys.slice(at + 1));
  });
}
