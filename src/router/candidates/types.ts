/** What a policy wants of several candidates. */
export type Objective =
  /** The cheapest whose expected loss against always using the requested model keeps within a share, 0..1. */
  | { readonly kind: 'loss'; readonly maxLoss: number }
  /** The best whose expected cost keeps within a share of that of always using the requested model. */
  | { readonly kind: 'cost'; readonly maxShare: number }
  /** US dollars that one request's score, 0 to 1, is worth: a point of quality is a hundredth of it. */
  | { readonly kind: 'price'; readonly usd: number };

/** What is expected of one candidate on one request before any grade. */
export interface CandidatePrior {
  /** `provider/model`. */
  readonly model: string;
  /** What the requested model is expected to gain over it, -1..1, and the standard error. */
  readonly gain: number;
  readonly error: number;
  /** Public outcomes say so; false: assumed, and only grades can tell. */
  readonly measured: boolean;
}

/** One request, as candidates are compared for it. */
export interface ComparedRequest {
  readonly template: string;
  /** The kind of work. */
  readonly kind: string;
  /** Whether public outcomes are about requests like it. */
  readonly known: boolean;
  readonly candidates: readonly CandidatePrior[];
}

/** What is expected of one candidate after the grades so far. */
export interface CandidateView extends CandidatePrior {
  readonly expected: number;
  readonly spread: number;
  /** Grades of the template by this candidate. */
  readonly grades: number;
  /** Public outcomes or grades enough to route on. */
  readonly usable: boolean;
}

/** What candidates were compared by, for one request. Stands in the record under `decision.models`. */
export interface ModelsVerdict {
  /** Version of the quality model. */
  readonly model: string;
  readonly objective: Objective;
  /** What the last requests say a score of 1 is worth, in US dollars; null: too few, each request is held to the objective alone. */
  readonly usdPerScore: number | null;
  /** Expected score of the requested model. */
  readonly level: number;
  readonly candidates: readonly CandidateView[];
  /** Drawn by lot, so that grades come of it; index of a candidate; null: none. */
  readonly probe: number | null;
}

/** What one candidate would cost; NaN: it cannot take the request, or its price is not known. */
export type Dollars = number;
