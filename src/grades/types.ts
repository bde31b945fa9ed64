import type { LearningMark } from '../router/online/types.ts';
import type { Tier } from '../classify/types.ts';

/**
 * Who gave a grade. Closed list: a metric label. `app`, `user`, `reviewer` come through /v1/feedback; the rest is Sluice's own: `checks` of
 * the answer's form, `regenerate` (the same question was asked again), `escalation` (the answer was not good enough and the next target
 * of the chain was asked), `judge` (a model's opinion), `verify` (held beside a stronger model's answer).
 */
export const callerSources = ['app', 'user', 'reviewer'] as const;
export type CallerSource = (typeof callerSources)[number];
export type GradeSource = CallerSource | 'checks' | 'regenerate' | 'escalation' | 'judge' | 'verify';

/** One opinion on one answer. */
export interface Grade {
  readonly decision: string;
  /** ISO 8601. */
  readonly time: string;
  /** 0 (useless) to 1 (as good as it can be). */
  readonly score: number;
  readonly source: GradeSource;
  /** What the stronger model's answer to the same request got; absent: it was not asked. */
  readonly against?: number;
}

/** What was decided for the answer that a grade is about. */
export interface GradedDecision {
  readonly id: string;
  readonly workspace: string;
  readonly tier: Tier;
  /** Who answered. */
  readonly provider: string;
  readonly model: string;
  readonly requestedProvider: string;
  readonly requestedModel: string;
  /** Hash of the policy that decided. */
  readonly policy: string;
  /** Experiment arms, `name:arm` joined by commas; null: none. */
  readonly arm: string | null;
  /** Key of the conversation; null: it has none, or the policy keeps none together. */
  readonly session: string | null;
  /** What learning knew of the request; null: nothing is learnt there. */
  readonly learning: LearningMark | null;
}

/** Whoever learns from grades. Must not throw and must not block. */
export interface GradeSink {
  observe(grade: Grade, about: GradedDecision): void;
}
