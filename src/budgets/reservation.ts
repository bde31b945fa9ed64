import type { Tier } from '../classify/types.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import type { CallPlan } from './calls.ts';
import type { Charge } from './types.ts';

/** The amounts reserved for one request until it is settled. */
export interface Reservation {
  readonly id: string;
  readonly generation: PolicySnapshot;
  /** See Served. */
  readonly countedAs: string;
  readonly user: string | null;
  readonly tier: Tier;
  readonly at: number;
  readonly charges: readonly Charge[];
  /** False if the store could not be asked, or was not yet. */
  held: boolean;
  /** Set if it is a call that was only observed. */
  readonly call?: readonly CallPlan[];
  /** Set while a shared store is asked without waiting. */
  asked?: Promise<void>;
}
