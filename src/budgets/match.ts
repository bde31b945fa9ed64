import type { Tier } from '../classify/types.ts';
import type { BudgetKey, ServedMatch } from '../policy/budget-types.ts';
import type { TargetRef } from '../policy/types.ts';

/** The target and tier that serve a request, and its caller. */
export interface Served {
  readonly workspace: string;
  /** The workspace name used for counters, see UnnamedWorkspaces. */
  readonly countedAs: string;
  readonly user: string | null;
  readonly target: TargetRef;
  readonly tier: Tier;
}

export function matchesServed(
  { tiers, models, matchesWorkspace }: ServedMatch,
  { tier, target: { provider, model }, workspace }: Served,
): boolean {
  if (tiers !== null && !tiers.has(tier)) return false;
  if (models !== null && !models.has(model) && !models.has(`${provider}/${model}`)) return false;
  return matchesWorkspace(workspace);
}

/** The values that a counter is for, in the order of `per`. */
export function valuesFor(per: readonly BudgetKey[], { countedAs, user, target, tier }: Served): string[] {
  return per.map((key) => {
    switch (key) {
      case 'workspace':
        return countedAs;
      case 'user':
        return user ?? 'none';
      case 'model':
        return `${target.provider}/${target.model}`;
      case 'tier':
        return tier;
    }
  });
}
