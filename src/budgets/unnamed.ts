import { limits } from '../lib/limits.ts';
import type { CallerContext, PolicySnapshot } from '../policy/types.ts';

/** The name under which workspaces over the bound are counted together. */
export const otherWorkspaces = 'other';

/**
 * Workspaces that no policy names and nobody vouches for. Callers can invent any number, and each would get its own budget: only the first
 * ones in this process do, all others share one.
 */
export class UnnamedWorkspaces {
  readonly #seen = new Set<string>();
  readonly #most: number;

  constructor(most: number = limits.unnamedWorkspaces) {
    this.#most = most;
  }

  /** Number of workspaces counted separately. */
  get size(): number {
    return this.#seen.size;
  }

  /** The workspace name under which budgets and rate limits count a caller. */
  countedAs(
    { workspace, trust }: Pick<CallerContext, 'workspace' | 'trust'>,
    { namedWorkspaces }: Pick<PolicySnapshot, 'namedWorkspaces'>,
  ): string {
    if (namedWorkspaces === null || namedWorkspaces.has(workspace) || trust?.workspaceVouched === true || this.#seen.has(workspace))
      return workspace;
    if (this.#seen.size >= this.#most) return otherWorkspaces;
    this.#seen.add(workspace);
    return workspace;
  }
}
