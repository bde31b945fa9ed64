import { renderProblems } from '../policy/store.ts';
import type { Problem } from '../policy/types.ts';
import { policyObjectId, type PolicyObject } from './compose.ts';

/**
 * The problems of an object for its author, a line each. The author knows the object, so only the file in it is named; and of an LLMPolicy
 * the path alone, since the API server keeps no lines.
 */
export function renderObjectProblems(object: Pick<PolicyObject, 'kind' | 'namespace' | 'name'>, problems: readonly Problem[]): string {
  const own = `${policyObjectId(object)}#`;
  return problems
    .map((problem) =>
      object.kind === 'LLMPolicy' && problem.file.startsWith(own)
        ? `spec${problem.path === '' ? '' : problem.path.startsWith('[') ? problem.path : `.${problem.path}`}: ${problem.message}. ${problem.fix}`
        : renderProblems([problem]),
    )
    .join('\n')
    .replaceAll(own, '');
}
