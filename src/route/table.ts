import { tiers, type Tier } from '../classify/types.ts';
import type { Candidates, MutableReport } from './candidates.ts';
import type { Choice } from './choice.ts';
import { cachedAt, usd } from './prices.ts';
import type { BudgetStep, CandidateReport } from './types.ts';

/**
 * The cheapest qualifying candidate of the tier, or else of the next higher tier. Null if none qualifies. `upgrade`: it may cost more than
 * the requested model. `rule`: the name of the rule or of the budget.
 */
export function fromTable(
  candidates: Candidates,
  from: Tier,
  upgrade: boolean,
  reason: 'tier' | 'override' | 'rule' | 'budget',
  rule: string | null,
): Choice | null {
  const { input, requested } = candidates;
  for (let at = tiers.indexOf(from); at < tiers.length; at++) {
    const tier = tiers[at]!;
    let best: MutableReport | null = null;
    let tooCostly = false;
    const targets = input.section.candidates[tier];
    for (let index = 0; index < targets.length; index++) {
      const report = candidates.report(targets[index]!, tier, 'later');
      report.disqualified ??= candidates.priceFault(report, upgrade);
      if (report.disqualified === 'costlier-than-requested') tooCostly = true;
      if (report.disqualified !== null || (best !== null && usd(report.estimate) >= usd(best.estimate))) continue;
      if (candidates.translates(report)) best = report;
    }
    if (best !== null) {
      best.chosen = true;
      candidates.keptForCache = cachedAt(input, best.target) > 0 && cheaperUncached(candidates, best, tier);
      const target = candidates.own(best.target) ? requested : best.target;
      return candidates.take(target, reason === 'tier' && target === requested ? 'kept-cheapest' : reason, rule, tier);
    }
    // A model of this tier qualifies but the requested one costs no more; a higher tier would cost even more.
    if (tooCostly) return candidates.keep('kept-cheapest', tier);
  }
  return null;
}

/** Whether another candidate of the tier would have been cheaper without cached tokens at the chosen one. */
function cheaperUncached(candidates: Candidates, best: CandidateReport, tier: Tier): boolean {
  const full = candidates.estimate(best.target, 0);
  return (
    full.known &&
    candidates.reports.some(
      (report) => report.tier === tier && report !== best && report.disqualified === null && usd(report.estimate) < full.usd,
    )
  );
}

/** The first candidate of the highest tier that can take the request. */
export function best(candidates: Candidates, reason: 'override' | 'rule', rule: string): Choice | null {
  const tier = tiers.at(-1)!;
  for (const target of candidates.input.section.candidates[tier]) {
    const taken = candidates.explicit(target, tier);
    if (taken !== null) return candidates.take(taken, reason, rule, tier);
  }
  return null;
}

/** The section's default target, if it can take the request. */
export function byDefault(candidates: Candidates): Choice | null {
  const { section, verdict } = candidates.input;
  if (section.defaultTarget === null) return null;
  const target = candidates.explicit(section.defaultTarget, verdict.tier);
  return target === null ? null : candidates.take(target, 'default', null, verdict.tier);
}

/** Replaces a choice by a cheaper one when a budget is nearly used up. Sensitive data and pinned models keep their target. */
export function cheapened(candidates: Candidates, choice: Choice, step: BudgetStep | undefined): Choice {
  if (
    step === undefined ||
    step.tier === null ||
    choice.action === 'block' ||
    candidates.input.exchange.operation !== 'generate' ||
    choice.reason === 'sensitivity' ||
    choice.reason === 'pinned' ||
    choice.reason === 'route-off'
  )
    return choice;
  const { reports } = candidates;
  const estimate = candidates.estimate(choice.target);
  const before = reports.filter(({ chosen }) => chosen);
  const other = fromTable(candidates, step.tier, true, 'budget', step.budget);
  const gain = other !== null && usd(candidates.estimate(other.target)) < usd(estimate);
  // Exactly one target is marked as chosen.
  for (const report of gain ? before : reports) report.chosen = gain ? false : before.includes(report);
  return gain ? other : choice;
}
