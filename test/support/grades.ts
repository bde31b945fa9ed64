import type { LearningEvent } from '../../src/router/online/hub.ts';
import type { LearningMark } from '../../src/router/online/types.ts';

/** What a decision between two models leaves for its grade. */
export const learningMark: LearningMark = {
  template: 't',
  near: '0'.repeat(16),
  pair: { weak: 'p/small', strong: 'p/large' },
  gain: 0.1,
  uncertainty: 0.1,
  expected: 0.1,
  spread: 0.1,
  threshold: null,
  says: 'weak',
  why: 'grades',
};

type GradeEvent = Extract<LearningEvent, { readonly kind: 'grade' }>;

/** A grade of the small model's answer. `score`: 0 to 1. */
export function gradeEvent(
  score: number,
  settings: Partial<GradeEvent['settings']> = {},
  grade: Partial<GradeEvent['grade']> = {},
): GradeEvent {
  return {
    kind: 'grade',
    grade: {
      decisionId: 'd',
      workspace: 'w',
      mark: learningMark,
      model: 'p/small',
      requested: 'p/large',
      score,
      source: 'user',
      weight: 1,
      time: 1_000,
      ...grade,
    },
    settings: { upgradeBelow: 0.3, upgradeMs: 1_000, upgradeScope: 'similar', ...settings },
  };
}
