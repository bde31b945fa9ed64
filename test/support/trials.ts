import { trialsAdmin, type TrialsAdmin } from '../../src/experiments/admin.ts';
import { Rollout } from '../../src/experiments/rollout.ts';
import { Trials } from '../../src/experiments/trials.ts';
import type { PolicySnapshot } from '../../src/policy/types.ts';

/** A server's trials with this policy in force and nothing on. */
export function noTrials(policy: PolicySnapshot): TrialsAdmin {
  const rollout = new Rollout({ stable: policy, candidate: null, kept: null, rolledBack: [] }, () => undefined);
  return trialsAdmin(rollout, new Trials({ rollout, stopped: [], onChange: () => undefined }), () => policy);
}
