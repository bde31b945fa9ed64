import type { LearningMark } from '../router/online/types.ts';
import type { Tier } from '../classify/types.ts';

/**
 * Source of a grade. Closed list: a metric label. `app`, `user`, `reviewer` come through /v1/feedback; the others are Sluice's own:
 * `checks` of the answer's form, `regenerate` (the same question was asked again), `escalation` (the answer was not good enough and the
 * next target of the chain was asked), `judge` (a model's opinion), `verify` (comparison with a stronger model's answer).
 */
export const callerSources = ['app', 'user', 'reviewer'] as const;
export type CallerSource = (typeof callerSources)[number];
export type GradeSource = CallerSource | 'checks' | 'regenerate' | 'escalation' | 'judge' | 'verify';

/** One grade of one answer. */
export interface Grade {
  readonly decision: string;
  /** ISO 8601. */
  readonly time: string;
  /** 0 (useless) to 1 (perfect). */
  readonly score: number;
  readonly source: GradeSource;
  /** Score of the stronger model's answer to the same request; absent if it was not asked. */
  readonly against?: number;
}

/** The decision behind the answer that a grade is about. */
export interface GradedDecision {
  readonly id: string;
  readonly workspace: string;
  readonly tier: Tier;
  /** Provider that answered. */
  readonly provider: string;
  readonly model: string;
  readonly requestedProvider: string;
  readonly requestedModel: string;
  /** Hash of the policy that decided. */
  readonly policy: string;
  /** Experiment arms, `name:arm` separated by commas; null if none. */
  readonly arm: string | null;
  /** Key of the conversation; null if it has none, or the policy does not track conversations. */
  readonly session: string | null;
  /** Learning's facts about the request; null without learning. */
  readonly learning: LearningMark | null;
}

/** Receives grades. Must not throw and must not block. */
export interface GradeSink {
  observe(grade: Grade, about: GradedDecision): void;
}
