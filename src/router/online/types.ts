import type { CandidatePrior } from '../candidates/types.ts';

/** Who answers: the cheaper model of a pair or the requested one. */
export type Arm = 'weak' | 'strong';

/** The models that a section routes between, as `provider/model`. */
export interface LearningPair {
  readonly weak: string;
  readonly strong: string;
}

/** What learning knew of a request when it was decided. Stands in the record under `decision.learning`, and comes back with every grade of its answer. */
export interface LearningMark {
  /** Which template the request is made from: 16 hex digits of a hash of its system prompt and tools, or of how its text begins. */
  readonly template: string;
  /** SimHash of the last user turn, 16 hex digits: near-duplicates differ in few bits. */
  readonly near: string;
  /** Null where the section routes between no pair: then only low grades count. */
  readonly pair: LearningPair | null;
  /** What the model expected the stronger one to gain; null without a pair. */
  readonly gain: number | null;
  /** Standard error of that, by the router. */
  readonly uncertainty: number | null;
  /** The kind of work, by the text; absent where it is not known. */
  readonly kind?: string | undefined;
  /** Several models that were compared: what was expected of each before any grade. Absent: none were. */
  readonly models?: { readonly requested: string; readonly known: boolean; readonly candidates: readonly CandidatePrior[] } | undefined;
  /** How much a grade would tell, against the mean request; absent without a pair. */
  readonly worth?: number | undefined;
  /** What is expected after the grades so far, and its standard error; null without a pair. */
  readonly expected: number | null;
  readonly spread: number | null;
  /** Expected gains up to this go to the weak model; null: none does, or without a pair. */
  readonly threshold: number | null;
  /** What learning says; null: nothing, the request is routed as if it had not been asked. */
  readonly says: Arm | null;
  /**
   * `upgrade`: an answer to a request like this got a low grade. `probe`: chosen by lot, so that grades are there for both models: these are the
   * ones worth grading. `grades`: by what is expected. `prior`: too little traffic for a threshold of its own.
   */
  readonly why: 'upgrade' | 'probe' | 'grades' | 'prior';
}

/** One judgement of one answer. */
export interface Grade {
  readonly decisionId: string;
  readonly workspace: string;
  readonly mark: LearningMark;
  /** Who gave the answer, `provider/model`; of neither model of the pair, it teaches nothing about the pair. */
  readonly model: string;
  /** Who was asked for, `provider/model`: nothing can be upgraded further. */
  readonly requested: string;
  /** 0 bad to 1 good. */
  readonly score: number;
  /**
   * What the pair's other model got for the same request, where it was asked too: such a grade says what the gain is without a detour. Absent or
   * null: it was not.
   */
  readonly against?: number | null | undefined;
  /** Where it is from: a person, a check, a judge. */
  readonly source: string;
  /** How much it counts for what is believed of the models, 0 to 1. With 0 it can only upgrade. */
  readonly weight: number;
  /** ms since 1970. */
  readonly time: number;
}
