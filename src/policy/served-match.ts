import type { ServedMatch } from './budget-types.ts';
import type { Catalog } from '../catalog/types.ts';
import type { ServedMatchDocument } from './options/served.ts';
import type { PolicySource } from './source-map.ts';
import type { Problem } from './types.ts';

/** Compiles which requests a budget or a rate limit applies to. */
export function servedOf(match: ServedMatchDocument): ServedMatch {
  return {
    matchesWorkspace: workspaceTest(match?.workspace),
    models: match?.model === undefined ? null : new Set(match.model),
    tiers: match?.tier === undefined ? null : new Set(match.tier),
  };
}

function workspaceTest(patterns: readonly string[] | undefined): (workspace: string) => boolean {
  if (patterns === undefined) return () => true;
  const exact = new Set(patterns);
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  return (workspace) => exact.has(workspace) || prefixes.some((prefix) => workspace.startsWith(prefix));
}

/** Reports patterns that match nothing (errors) and models that the catalog does not know (warnings). */
export function checkServed(
  match: ServedMatchDocument,
  source: PolicySource,
  at: readonly PropertyKey[],
  catalog: Catalog,
  problems: Problem[],
): void {
  for (const [index, pattern] of (match?.workspace ?? []).entries()) {
    if (pattern.slice(0, -1).includes('*'))
      problems.push(
        source.problem(
          'error',
          'unreachable',
          [...at, 'match', 'workspace', index],
          `${pattern} matches no workspace: * stands for the rest only at the end`,
          'Write a prefix and *, or the names.',
        ),
      );
  }
  for (const [index, model] of (match?.model ?? []).entries()) {
    const name = model.slice(model.indexOf('/') + 1);
    if (catalog.providers().some((provider) => catalog.lookup(provider, name) !== null || catalog.lookup(provider, model) !== null))
      continue;
    problems.push(
      source.problem(
        'warning',
        'unknown-model',
        [...at, 'match', 'model', index],
        `the catalog knows no model ${model}`,
        'Check that requests are served by it under this name.',
      ),
    );
  }
}
