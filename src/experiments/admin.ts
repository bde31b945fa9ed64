import type { PolicyGeneration } from '../policy/types.ts';
import type { Rollout, RolloutStatus } from './rollout.ts';
import { everyExperiment, type ExperimentStatus, type Trials } from './trials.ts';

/** What people see of rollouts and experiments, and order. */
export interface TrialsAdmin {
  rollout(): RolloutStatus;
  experiments(): readonly ExperimentStatus[];
  /** False: there is nothing to go back to. */
  rollback(): boolean;
  /** False: nothing rolls out. */
  promote(): boolean;
  /** `name`: an experiment, or `*`. False: there is none of that name. */
  order(name: string, verb: 'stop' | 'start'): boolean;
}

export function trialsAdmin(rollout: Rollout, trials: Trials, current: () => PolicyGeneration): TrialsAdmin {
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

/** Evidence of all running comparisons, over what would be an alarm. */
export function evidenceOf(
  admin: Pick<TrialsAdmin, 'rollout' | 'experiments'>,
): { readonly experiment: string; readonly metric: string; readonly level: number }[] {
  const { candidate } = admin.rollout();
  const running = admin.experiments().filter(({ state }) => state === 'running');
  return [...(candidate === null ? [] : [{ name: 'rollout', figures: candidate.figures }]), ...running].flatMap(({ name, figures }) =>
    Object.entries(figures).map(([metric, { evidence, threshold }]) => ({ experiment: name, metric, level: evidence / threshold })),
  );
}
