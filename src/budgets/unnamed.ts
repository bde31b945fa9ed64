import { limits } from '../lib/limits.ts';
import type { CallerContext, PolicyGeneration } from '../policy/types.ts';

/** The name under which workspaces beyond the bound are counted together. */
export const otherWorkspaces = 'other';

/**
 * Workspaces that no policy names and nobody vouches for: callers can make up as many as they like, and each would have a budget of its own. The first
 * ones of this process do, all others share one.
 */
export class UnnamedWorkspaces {
  readonly #seen = new Set<string>();
  readonly #most: number;

  constructor(most: number = limits.unnamedWorkspaces) {
    this.#most = most;
  }

  /** Those that are counted apart. */
  get size(): number {
    return this.#seen.size;
  }

  /** The name under which budgets and rate limits by workspace count a caller. */
  countedAs(
    { workspace, trust }: Pick<CallerContext, 'workspace' | 'trust'>,
    { namedWorkspaces }: Pick<PolicyGeneration, 'namedWorkspaces'>,
  ): string {
    if (namedWorkspaces === null || namedWorkspaces.has(workspace) || trust?.workspaceVouched === true || this.#seen.has(workspace))
      return workspace;
    if (this.#seen.size >= this.#most) return otherWorkspaces;
    this.#seen.add(workspace);
    return workspace;
  }
}
