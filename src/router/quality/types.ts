/** Public outcomes of one model in a quality model. */
interface KnownModel {
  /** Name as in the rows. */
  readonly name: string;
  /** Mean score on each kind of work, 0..1. */
  readonly means: readonly number[];
  /** Weights of the factors: how much better than its mean the model does where a prompt's factor is 1. */
  readonly loadings: readonly number[];
  /** Mean output tokens on each kind, as far as known; null if the rows do not say. */
  readonly tokens: readonly number[] | null;
}

/** The part of a quality model's file that people and tools read. */
export interface QualityHeader {
  readonly format: 1;
  /** Inverse document frequencies are `idfStep` × a byte; 0 means the gram occurred at most once. */
  readonly idfStep: number;
  /** Kinds of work among the rows, with the number of prompts of each. */
  readonly kinds: readonly { readonly name: string; readonly rows: number }[];
  /** Linear functions of a prompt's words: one for each kind, then the factors. `step` × an 8-bit integer per weight. */
  readonly functions: readonly { readonly step: number; readonly bias: number }[];
  readonly models: readonly KnownModel[];
  /** Mean squared difference of two models' scores, by kind: the rows of a lower triangle without its diagonal, concatenated. */
  readonly apart: readonly (readonly number[])[];
  /** Certainty of the kind below which a prompt is unlike all rows, and from which it is like them. */
  readonly unknownBelow: number;
  readonly knownAbove: number;
  readonly card: {
    readonly name: string;
    readonly trainedWith: string;
    readonly rows: number;
    readonly dataSha256: string;
    readonly sources: readonly { readonly source: string; readonly rows: number; readonly licence: string }[];
    /** On held-out rows: explained share of the variance within a kind, and the mean error of a model's expected score. */
    readonly explained: number;
    readonly limits: readonly string[];
  };
}

/** How much better one model is expected to do than another on a prompt, and the standard error. */
export interface ExpectedGain {
  readonly gain: number;
  readonly error: number;
}

/** The part of a quality model's prediction that does not depend on the answering model. */
export interface PromptView {
  /** Share of each kind, in the order of the header; their sum is 1. */
  readonly kinds: Float64Array;
  readonly factors: Float64Array;
  /** 0: unlike all rows; 1: like them. */
  readonly known: number;
}
