import type { Cost } from '../catalog/types.ts';
import type { TargetRef } from '../policy/types.ts';
import { catalogModel } from './capabilities.ts';
import type { Baseline, DecideInput } from './types.ts';

/** Number of answers by a model to a template from which its typical length is taken as known. */
const typicalAnswers = 20;

/** Whether two targets are the same model of the same provider. */
export function same(a: TargetRef, b: TargetRef): boolean {
  return a.provider === b.provider && a.model === b.model;
}

/** US dollars; infinite if the cost is unknown. */
export function usd(cost: Cost): number {
  return cost.known ? cost.usd : Infinity;
}

/** Estimated tokens of this prompt that a target reads from its prompt cache, because it recently answered the previous turn. */
export function cachedAt({ session, caller, exchange }: DecideInput, target: TargetRef): number {
  const state = session?.state ?? null;
  if (state?.last == null || caller.now >= state.cachedUntil || !same(state.last, target)) return 0;
  return Math.min(state.cachedTokens, exchange.promptTokens);
}

/** Estimated cost of the whole call at a target. */
export function priceOf({ generation, exchange }: DecideInput, target: TargetRef, outputTokens: number, cachedTokens: number): Cost {
  const provider = generation.providers.get(target.provider);
  if (provider === undefined) return { known: false, reason: 'model' };
  return generation.catalog.estimate(
    provider.catalogProvider,
    catalogModel(provider, target.model),
    exchange.promptTokens,
    outputTokens,
    cachedTokens,
  );
}

function learntAt(input: DecideInput, target: TargetRef, answerTokens: number): number | null {
  return input.outputTokens?.(target, answerTokens)?.tokens ?? null;
}

/** Output tokens of the whole call at a target as learnt from answers, within the app's own limit; null if nothing is known. */
export function learntOutput(input: DecideInput, target: TargetRef, requested: TargetRef, answerTokens: number): number | null {
  const { exchange } = input;
  // A model that has not answered the template yet is compared by the requested model's answers: a default for one of them and not for
  // the other would compare lengths, not prices.
  const learnt = answerTokens === 0 ? null : (learntAt(input, target, answerTokens) ?? learntAt(input, requested, answerTokens));
  if (learnt === null) return null;
  const limited = exchange.maxOutputTokens === null ? learnt : Math.min(learnt, exchange.maxOutputTokens);
  return Math.max(1, Math.round(limited)) * Math.max(1, exchange.n);
}

/**
 * The baseline for savings, from the policy and from what is known of that model's answers; null: the requested model with the same
 * tokens. `reshaped`: the policy changed what the request asks for.
 */
export function baselineOf(
  input: DecideInput,
  requested: TargetRef,
  served: TargetRef,
  answerTokens: number,
  reshaped: boolean,
): Baseline | null {
  const { section, exchange } = input;
  const target = section.baseline ?? requested;
  // The served model's own answer needs no estimate.
  // A shape's savings are counted separately, so both use the same tokens.
  const learnt = answerTokens === 0 || same(target, served) || reshaped ? null : (input.outputTokens?.(target, answerTokens) ?? null);
  const typical =
    learnt === null || learnt.answers < typicalAnswers
      ? null
      : { tokens: Math.min(learnt.tokens, exchange.maxOutputTokens ?? Infinity), spread: learnt.spread, reasoning: learnt.reasoning };
  return typical === null && section.baseline === null ? null : { target, typical };
}
