/** What the rest of the request adds to the score, per unit, and the maximum. */
export const requestWeights = {
  /** A caller that passes tools needs an agent's judgement. */
  tools: { first: 0.1, each: 0.01, most: 0.2 },
  image: { first: 0.1, each: 0.02, most: 0.2 },
  audio: { first: 0.1, each: 0, most: 0.1 },
  file: { first: 0.1, each: 0.02, most: 0.2 },
  jsonSchema: 0.05,
  /** Turns before this one: the last message of a long conversation shows only part of its complexity. */
  depth: { each: 0.03, most: 0.24 },
  toolResult: 0.15,
  /** The app requested reasoning itself. */
  reasoning: { low: 0.05, medium: 0.2, high: 0.35 },
} as const;
