import type { PolicySnapshot } from '../policy/types.ts';
import type { Rollout, RolloutStatus } from './rollout.ts';
import { everyExperiment, type ExperimentStatus, type Trials } from './trials.ts';

/** Queries and commands for rollouts and experiments. */
export interface TrialsAdmin {
  rollout(): RolloutStatus;
  experiments(): readonly ExperimentStatus[];
  /** False if there is nothing to roll back to. */
  rollback(): boolean;
  /** False if no policy is rolling out. */
  promote(): boolean;
  /** `name`: an experiment, or `*`. False if no experiment has that name. */
  order(name: string, verb: 'stop' | 'start'): boolean;
}

export function trialsAdmin(rollout: Rollout, trials: Trials, current: () => PolicySnapshot): TrialsAdmin {
  return {
    rollout: () => rollout.status(),
    experiments: () => trials.status(current()),
    rollback: () => rollout.rollback('asked'),
    promote: () => rollout.promote(),
    order(name, verb) {
      if (
        name !== everyExperiment &&
        !current().experiments.some((experiment) => experiment.name === name) &&
        !trials.stopped.includes(name)
      )
        return false;
      trials[verb](name);
      return true;
    },
  };
}

/** Evidence of all running comparisons, relative to the alarm threshold. */
export function evidenceOf(
  admin: Pick<TrialsAdmin, 'rollout' | 'experiments'>,
): { readonly experiment: string; readonly metric: string; readonly level: number }[] {
  const { candidate } = admin.rollout();
  const running = admin.experiments().filter(({ state }) => state === 'running');
  return [...(candidate === null ? [] : [{ name: 'rollout', figures: candidate.figures }]), ...running].flatMap(({ name, figures }) =>
    Object.entries(figures).map(([metric, { evidence, threshold }]) => ({ experiment: name, metric, level: evidence / threshold })),
  );
}
