import type { Grade as FeedbackGrade, GradedDecision, GradeSink, GradeSource } from '../../grades/types.ts';
import type { LearningHub } from './hub.ts';
import type { LearningSettings } from './settings.ts';

/**
 * Weight of a grade in the beliefs about the models. Checks, repeated questions and escalations only report failures: counted alone they
 * would make every model look bad, so they only upgrade.
 */
const weights: Readonly<Record<GradeSource, number>> = {
  app: 1,
  user: 1,
  reviewer: 1,
  judge: 1,
  verify: 1,
  checks: 0,
  regenerate: 0,
  escalation: 0,
};

/** Passes grades to learning. `settingsOf`: current settings of the section that decided; null if it no longer learns. */
export function learningSink(
  hub: Pick<LearningHub, 'publish'>,
  settingsOf: (workspace: string, provider: string) => LearningSettings | null,
): GradeSink {
  return {
    observe({ decision, score, source, time, against }: FeedbackGrade, about: GradedDecision): void {
      if (about.learning === null) return;
      const settings = settingsOf(about.workspace, about.requestedProvider);
      if (settings === null) return;
      const grade = {
        decisionId: decision,
        workspace: about.workspace,
        mark: about.learning,
        model: `${about.provider}/${about.model}`,
        requested: `${about.requestedProvider}/${about.requestedModel}`,
        score,
        against: against ?? null,
        source,
        weight: weights[source],
        time: Date.parse(time),
      };
      const { upgradeBelow, upgradeMs, upgradeScope } = settings;
      hub.publish({ kind: 'grade', grade, settings: { upgradeBelow, upgradeMs, upgradeScope } });
    },
  };
}
