/** What the rest of the request adds, in score a unit, and the most that it may add. */
export const requestWeights = {
  /** A caller that brings tools wants an agent's judgement. */
  tools: { first: 0.1, each: 0.01, most: 0.2 },
  image: { first: 0.1, each: 0.02, most: 0.2 },
  audio: { first: 0.1, each: 0, most: 0.1 },
  file: { first: 0.1, each: 0.02, most: 0.2 },
  jsonSchema: 0.05,
  /** Turns before this one: a long conversation carries more than its last line says. */
  depth: { each: 0.03, most: 0.24 },
  toolResult: 0.15,
  /** The app asked for reasoning itself. */
  reasoning: { low: 0.05, medium: 0.2, high: 0.35 },
} as const;
