import type { FeatureName } from './features.ts';

/** Where the score starts before any signal. */
export const baseScore = 0.03;

/**
 * What each text feature adds to the score at full value. Fitted on labelled prompts (`scripts/fit-classifier.ts`) and
 * rounded; features that the short prompts there cannot weigh (long texts, several questions, maths, why …) were chosen
 * between fixed bounds by how well the score ranks real outcomes of the training rows, without loss on the labels.
 */
export const textWeights: Readonly<Record<FeatureName, number>> = {
  length: 0.55,
  longText: 0.16,
  define: -0.23,
  classify: -0.1,
  extract: 0.1,
  translate: -0.2,
  summarise: 0.06,
  rewrite: -0.05,
  explain: 0.02,
  compare: 0.04,
  why: 0.12,
  steps: 0.02,
  prove: 0.28,
  derive: 0.16,
  design: 0.15,
  implement: 0.1,
  function: 0.01,
  debug: 0.02,
  review: 0.02,
  plan: 0.05,
  scale: 0.08,
  constraints: 0.04,
  listItems: 0.23,
  questions: 0.16,
  codeFence: 0.02,
  creative: 0.06,
  maths: 0.09,
  formal: 0.02,
  expertDomain: 0.02,
};

/** What the rest of the request adds, in score a unit, and the most that it may add. */
export const requestWeights = {
  /** A caller that brings tools wants an agent's judgement. */
  tools: { first: 0.1, each: 0.01, most: 0.2 },
  image: { first: 0.1, each: 0.02, most: 0.2 },
  audio: { first: 0.1, each: 0, most: 0.1 },
  file: { first: 0.1, each: 0.02, most: 0.2 },
  jsonSchema: 0.05,
  jsonObject: 0.02,
  /** Turns before this one: a long conversation carries more than its last line says. */
  depth: { each: 0.03, most: 0.24 },
  toolResult: 0.15,
  /** The app asked for reasoning itself. */
  reasoning: { low: 0.05, medium: 0.2, high: 0.35 },
  /** A short confirmation of earlier turns: the work is theirs. Takes the shortest "ok" above the simple tier's default score. */
  continuation: 0.22,
  /** Share of a heavy word class (design, prove …) in the system prompt or in confirmed turns, of its weight in the prompt. */
  systemShare: 0.4,
} as const;

/** Longest text that still reads as a confirmation, in characters (a CJK one counts as two and a half). */
export const confirmationUnits = 80;

/** Scores this close below a threshold are unsure, and go to the safer tier; wider when nothing but the size of the text was seen. */
export const unsureMargin = { withEvidence: 0.02, sizeOnly: 0.05 } as const;
