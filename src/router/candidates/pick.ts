import type { CandidateView, Dollars, Objective } from './types.ts';

/** How far an uncertain candidate is held back, in its standard errors. */
export const caution = 0.5;
/** The bound on the expected loss of one request where no window is known, and of all in it, in standard errors. */
export const z = 1.1;

/** By how much a candidate is expected to fall short, as candidates are ordered by it. */
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
  /** Of each candidate, in the same order. */
  readonly usd: readonly Dollars[];
}

/**
 * Which candidate takes a request: the index, or -1 for the requested model. Lowest is cost plus what the expected shortfall is worth; without a window, the
 * objective is held for this request alone. Pure. The live decision and the simulation both ask this.
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

/** The objective, held for one request alone: stricter than in the mean of many. */
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
