import type { CandidateView, Dollars, Objective } from './types.ts';

/** How many standard errors of margin an uncertain candidate must make up. */
const caution = 0.5;
/** Standard errors in the bound on the expected loss: of one request when no window is known, of the whole window otherwise. */
export const z = 0.9;

/** The expected shortfall by which candidates are ordered. */
export function shortfall({ expected, spread }: Pick<CandidateView, 'expected' | 'spread'>): number {
  return expected + caution * spread;
}

export interface PickInput {
  readonly objective: Objective;
  readonly usdPerScore: number | null;
  /** Expected score of the requested model. */
  readonly level: number;
  readonly requestedUsd: Dollars;
  readonly candidates: readonly CandidateView[];
  /** Cost of each candidate, in the same order. */
  readonly usd: readonly Dollars[];
}

/**
 * Returns the index of the candidate that takes a request, or -1 for the requested model. Picks the lowest sum of cost and priced
 * shortfall; without a window, holds the objective for this request alone. Pure. The live decision and the simulation both call this.
 */
export function pickCandidate(input: PickInput): number {
  const { objective, usdPerScore, requestedUsd, candidates, usd } = input;
  if (Number.isNaN(requestedUsd)) return -1;
  const worth = objective.kind === 'price' ? objective.usd : usdPerScore;
  if (worth === null) return alone(input);
  let best = -1;
  let least = requestedUsd;
  for (let at = 0; at < candidates.length; at++) {
    const candidate = candidates[at]!;
    if (!candidate.usable || Number.isNaN(usd[at]!)) continue;
    const total = usd[at]! + worth * shortfall(candidate);
    if (total < least) {
      least = total;
      best = at;
    }
  }
  return best;
}

/** Holds the objective for one request alone, which is stricter than holding it on average over many. */
function alone({ objective, level, requestedUsd, candidates, usd }: PickInput): number {
  let best = -1;
  let least = objective.kind === 'cost' ? Infinity : requestedUsd;
  for (let at = 0; at < candidates.length; at++) {
    const candidate = candidates[at]!;
    if (!candidate.usable || Number.isNaN(usd[at]!)) continue;
    if (objective.kind === 'loss') {
      if (candidate.expected + z * candidate.spread > objective.maxLoss * level || usd[at]! >= least) continue;
      least = usd[at]!;
    } else {
      if (objective.kind === 'cost' && usd[at]! > objective.maxShare * requestedUsd) continue;
      if (shortfall(candidate) >= least) continue;
      least = shortfall(candidate);
    }
    best = at;
  }
  return best;
}
