import type { Tier } from '../classify/types.ts';
import type { TargetRef } from '../policy/types.ts';
import type { Decision, DecisionReason } from './types.ts';

/** The result of one decision step; a step returns null if it does not apply. */
export interface Choice {
  readonly action: Decision['action'];
  readonly target: TargetRef;
  readonly reason: DecisionReason;
  readonly rule: string | null;
  readonly tier: Tier;
  readonly message: string | null;
  /** The fallback targets of the matching rule. */
  readonly fallback?: readonly TargetRef[];
}

/** The choice of a rule, with the rule's own fallback targets. */
export function withFallback(choice: Choice | null, fallback: readonly TargetRef[] | undefined): Choice | null {
  return choice === null || fallback === undefined ? choice : { ...choice, fallback };
}
