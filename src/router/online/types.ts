import type { CandidatePrior } from '../candidates/types.ts';

/** Which model answers: the cheaper one of a pair (`weak`) or the requested one (`strong`). */
export type Arm = 'weak' | 'strong';

/** The models that a section routes between, as `provider/model`. */
export interface LearningPair {
  readonly weak: string;
  readonly strong: string;
}

/** Learning's facts about a request at decision time. Recorded under `decision.learning`, and returned with every grade of its answer. */
export interface LearningMark {
  /** The request's template: 16 hex digits of a hash of its system prompt and tools, or of how its text begins. */
  readonly template: string;
  /** SimHash of the last user turn, 16 hex digits: near-duplicates differ in few bits. */
  readonly near: string;
  /** Null if the section does not route between a pair: then only low grades have an effect. */
  readonly pair: LearningPair | null;
  /** The model's expected gain of the stronger model; null without a pair. */
  readonly gain: number | null;
  /** Standard error of the gain, from the router. */
  readonly uncertainty: number | null;
  /** Kind of work, from the text; absent if unknown. */
  readonly kind?: string | undefined;
  /** The candidates that were compared, with their expected results before any grade. Absent if none were. */
  readonly models?: { readonly requested: string; readonly known: boolean; readonly candidates: readonly CandidatePrior[] } | undefined;
  /** How informative a grade would be, relative to the mean request; absent without a pair. */
  readonly worth?: number | undefined;
  /** Expected gain after the grades so far, and its standard error; null without a pair. */
  readonly expected: number | null;
  readonly spread: number | null;
  /** What the threshold is compared with: the expected gain, raised for its uncertainty; absent without a pair. */
  readonly index?: number | undefined;
  /** Requests with an index up to this go to the weak model; null if none do, or without a pair. */
  readonly threshold: number | null;
  /** Learning's verdict; null if none, and the request is routed without it. */
  readonly says: Arm | null;
  /**
   * `upgrade`: an answer to a similar request got a low grade. `probe`: chosen at random, so that both models get grades; these requests
   * are worth grading. `grades`: decided by the expected gain. `prior`: too little traffic for a threshold of its own.
   */
  readonly why: 'upgrade' | 'probe' | 'grades' | 'prior';
}

/** One grade of one answer. */
export interface LearningGrade {
  readonly decisionId: string;
  readonly workspace: string;
  readonly mark: LearningMark;
  /** Model that answered, `provider/model`. If it is neither model of the pair, the grade changes no belief about the pair. */
  readonly model: string;
  /** Model that was requested, `provider/model`; its answers cannot be upgraded further. */
  readonly requested: string;
  /** 0 bad to 1 good. */
  readonly score: number;
  /**
   * The score of the pair's other model for the same request, if it was asked too: such a grade measures the gain directly. Otherwise
   * absent or null.
   */
  readonly against?: number | null | undefined;
  /** Source: a person, a check, a judge. */
  readonly source: string;
  /** Weight in the beliefs about the models, 0 to 1. With 0 the grade can only upgrade. */
  readonly weight: number;
  /** ms since 1970. */
  readonly time: number;
}
