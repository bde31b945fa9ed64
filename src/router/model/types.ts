import type { CalibrationTable } from './calibration.ts';

/** A model's prediction for one prompt. */
export interface Prediction {
  /**
   * Expected gain of the stronger model: its score minus the weaker one's, -1 to 1. A higher gain means that the stronger model is needed
   * more.
   */
  readonly gain: number;
  /** Standard error of the gain, in the same unit. */
  readonly uncertainty: number;
  /** True when the model has not seen this kind of prompt: use the safer model. */
  readonly abstain: boolean;
  /** Share of the prompt's words that the model knows, 0..1. */
  readonly familiarity: number;
  /** How well the prompt fits one of the kinds of work among the training rows, 0 (not at all) to 1. */
  readonly known: number;
}

/** One feature's share of a prediction. */
export interface Influence {
  readonly name: string;
  readonly share: number;
}

/** A source of training rows, for the model card. */
export interface CardSource {
  readonly source: string;
  readonly rows: number;
  readonly licence: string;
  readonly weakModel: string;
  readonly strongModel: string;
}

/** Figures of a cross-validation, for the model card. Shares and losses 0..1; loss is relative to always-strong. */
export interface CardFigures {
  readonly apgr: number;
  readonly ece: number;
  readonly weakShareAt1: number;
  readonly weakShareAt3: number;
}

/** What to know before trusting a model file. */
export interface ModelCard {
  readonly name: string;
  readonly trainedWith: string;
  readonly rows: number;
  readonly dataSha256: string;
  readonly sources: readonly CardSource[];
  /** Held-out questions of the same tasks: cross-validation by group. */
  readonly home: CardFigures;
  /** Tasks held out as a whole; null when the rows name fewer than four. */
  readonly away: CardFigures | null;
  /**
   * Sources held out as a whole, which also brings other models; `lowest`: APGR of the worst source with 200 rows or more. Null when the
   * rows name fewer than two.
   */
  readonly newSources?: (CardFigures & { readonly lowest: number }) | null | undefined;
  readonly limits: readonly string[];
}

/** Effect of one threshold on the gain for one pair of models, in cross-validation. */
export interface PairPoint {
  /** Prompts with at most this gain go to the weak model. */
  readonly threshold: number;
  readonly weakShare: number;
  /** Relative to always-strong. */
  readonly loss: number;
  /** One-sided 95% bound above the loss. */
  readonly upper: number;
}

/** Results of the thresholds for one pair of models. */
export interface PairCalibration {
  readonly weakModel: string;
  readonly strongModel: string;
  readonly rows: number;
  /** Mean strong minus mean weak score, relative to the strong one. */
  readonly gap: number;
  /** In rising order of threshold. */
  readonly points: readonly PairPoint[];
}

/** The range of certainty over which the score moves from words to trees. */
export interface Leaning {
  readonly from: number;
  readonly to: number;
}

/** Share of the trees in the raw score of a prompt with this certainty of its kind of work. */
export function treeShareAt(treeShare: number, leaning: Leaning | undefined, certainty: number): number {
  if (leaning === undefined) return treeShare;
  return treeShare * Math.min(1, Math.max(0, (certainty - leaning.from) / (leaning.to - leaning.from)));
}

/** The part of a model file that people and tools read. */
export interface ModelHeader {
  readonly format: 2;
  /** `gain`: words and trees predict the gain. `classic`: TF-IDF and logistic regression on "the weaker one is right". */
  readonly kind: 'gain' | 'classic';
  readonly seed: number;
  /** Shape and text features, then topics, in the order of the trees' feature indices. */
  readonly features: readonly string[];
  /** Inverse document frequencies are `idfStep` × a byte; 0 means the gram occurred at most once. */
  readonly idfStep: number;
  /** Weights are `weightStep` × a 16-bit integer. */
  readonly weightStep: number;
  readonly bias: number;
  /** Linear functions of the words that the trees use besides the shape: `step` × an 8-bit integer per weight. */
  readonly topics: readonly { readonly name: string; readonly step: number; readonly bias: number }[];
  readonly trees: number;
  readonly depth: number;
  /** The start value of the trees and their share of the raw score. */
  readonly treeBase: number;
  readonly treeShare: number;
  /**
   * Certainty of the kind of work at which trees begin to count, and at which they have their full share: layout is only informative for
   * known kinds. Absent when they always have it.
   */
  readonly leaning?: Leaning | undefined;
  readonly calibration: CalibrationTable;
  readonly pairs: readonly PairCalibration[];
  readonly card: ModelCard;
}
