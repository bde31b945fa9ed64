import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tiers, type Tier, type TierThresholds } from './types.ts';

/**
 * Scores of the labelled prompts by their label, each from a model that was trained without the prompt's batch; written by
 * scripts/measure-text-model.ts.
 */
export const tierSharesFile = fileURLToPath(new URL('../../models/text-1.scores.json', import.meta.url));

/** Equal steps of the score from 0 to 1 in which prompts are counted. */
export const scoreSteps = 50;

/** How many prompts have a score within each step: of all, and by task and domain. */
export interface ScoreCounts {
  readonly prompts: number;
  readonly all: readonly number[];
  readonly tasks: Readonly<Record<string, readonly number[]>>;
  readonly domains: Readonly<Record<string, readonly number[]>>;
}

let shipped: ScoreCounts | null = null;

/** The counts that ship with Sluice. */
export function scoreCounts(): ScoreCounts {
  return (shipped ??= JSON.parse(readFileSync(tierSharesFile, 'utf8')) as ScoreCounts);
}

/** The step of a score, 0 to 1. */
export function stepOf(score: number): number {
  return Math.min(scoreSteps - 1, Math.max(0, Math.floor(score * scoreSteps)));
}

/** Share of the prompts in each tier by the thresholds of scores; within a step they are taken as evenly spread. */
export function tierShares(of: readonly number[], { simple, standard, margin }: TierThresholds): Readonly<Record<Tier, number>> {
  const below = (limit: number): number =>
    of.reduce((sum, count, at) => sum + count * Math.min(1, Math.max(0, (limit - margin) * scoreSteps - at)), 0);
  const total = of.reduce((sum, count) => sum + count, 0);
  const first = below(simple.score) / total;
  const second = Math.max(first, below(standard.score) / total);
  return { simple: first, standard: second - first, complex: 1 - second };
}

/** `71/25/4`: percent simple, standard and complex. */
export function percents(shares: Readonly<Record<Tier, number>>): string {
  return tiers.map((tier) => Math.round(100 * shares[tier])).join('/');
}
