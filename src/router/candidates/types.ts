/** The objective of a policy with several candidates. */
export type Objective =
  /** The cheapest candidate whose expected loss, relative to always using the requested model, stays within a share, 0..1. */
  | { readonly kind: 'loss'; readonly maxLoss: number }
  /** The best candidate whose expected cost stays within a share of the cost of always using the requested model. */
  | { readonly kind: 'cost'; readonly maxShare: number }
  /** US dollars that one request's score, 0 to 1, is worth; a point of quality is a hundredth of it. */
  | { readonly kind: 'price'; readonly usd: number };

/** The expected result of one candidate for one request before any grade. */
export interface CandidatePrior {
  /** `provider/model`. */
  readonly model: string;
  /** How much the requested model is expected to gain over this candidate, -1..1, and the standard error. */
  readonly gain: number;
  readonly error: number;
  /** True if public outcomes back it; false if it is assumed and only grades can confirm it. */
  readonly measured: boolean;
}

/** One request as the comparison of candidates sees it. */
export interface ComparedRequest {
  readonly template: string;
  /** Kind of work. */
  readonly kind: string;
  /** Whether public outcomes cover similar requests. */
  readonly known: boolean;
  readonly candidates: readonly CandidatePrior[];
}

/** The expected result of one candidate after the grades so far. */
export interface CandidateView extends CandidatePrior {
  readonly expected: number;
  readonly spread: number;
  /** Number of grades of this candidate on the template. */
  readonly grades: number;
  /** Whether there are enough public outcomes or grades to route on. */
  readonly usable: boolean;
}

/** How the candidates of one request were compared. Recorded under `decision.models`. */
export interface ModelsVerdict {
  /** Version of the quality model. */
  readonly model: string;
  readonly objective: Objective;
  /**
   * US dollars that a score of 1 is worth, computed from the last requests; null when there are too few, and each request is held to the
   * objective alone.
   */
  readonly usdPerScore: number | null;
  /** Expected score of the requested model. */
  readonly level: number;
  readonly candidates: readonly CandidateView[];
  /** Index of the candidate chosen at random to be graded; null if none. */
  readonly probe: number | null;
}

/** Cost of one candidate; NaN if it cannot take the request or its price is unknown. */
export type Dollars = number;
