import type { Tier } from '../classify/types.ts';
import type { TargetRef } from '../policy/types.ts';
import { pickCandidate } from '../router/candidates/pick.ts';
import type { ModelsVerdict } from '../router/candidates/types.ts';
import type { Candidates, MutableReport } from './candidates.ts';
import type { Choice } from './choice.ts';
import { usd } from './prices.ts';
import { fromTable } from './table.ts';
import type { CandidateReport } from './types.ts';

/** The experiment's choice; if its model cannot do the job, the request is decided as usual. */
export function forced(candidates: Candidates): Choice | null {
  const { forced: by, verdict } = candidates.input;
  if (by === undefined || by === null) return null;
  const tier = candidates.needed;
  if (by.target === null) return candidates.keep('experiment', verdict.tier, by.experiment);
  const target = candidates.explicit(by.target, tier);
  return target === null ? null : candidates.take(target, 'experiment', by.experiment, tier);
}

/**
 * Takes the weak model if grades, or otherwise the learned router, find it good enough; the requested model if they find it necessary.
 * Null without a verdict: the decision table decides. After a low grade, always the requested model.
 */
export function byRouter(candidates: Candidates): Choice | null {
  const { section, learned, learning, verdict, session } = candidates.input;
  if (learning?.why === 'upgrade') return candidates.keep('kept-upgraded');
  if (section.learned === null || learned == null) return null;
  const says = learning?.says ?? (learned.acts ? learned.says : null);
  if (says === null) return null;
  if (says === 'strong') return candidates.keep('kept-learned');
  // An earlier turn needed the stronger model; this one ("yes, do it") looks easy but is not.
  if (session?.state?.strong === true) return candidates.keep('kept-session');
  if (candidates.needed !== verdict.tier) return null;
  const report = candidates.report(section.learned.weak, verdict.tier);
  report.disqualified ??= candidates.priceFault(report, false);
  if (report.disqualified !== null || candidates.own(report.target)) return null;
  const cheaper = cheaperByTable(candidates, report, verdict.tier);
  if (cheaper !== null) return cheaper;
  report.chosen = true;
  return candidates.take(report.target, 'learned', null, verdict.tier);
}

/** The decision table's choice, if it costs less than the weak model: learning must not reduce the table's savings. */
function cheaperByTable(candidates: Candidates, weak: CandidateReport, tier: Tier): Choice | null {
  const { section } = candidates.input;
  if (!section.routedTiers.has(tier)) return null;
  const from = candidates.reports.length;
  const choice = fromTable(candidates, tier, section.upgrades === 'allow', 'tier', null);
  if (choice?.action === 'route' && usd(candidates.estimate(choice.target)) < usd(weak.estimate)) return choice;
  candidates.reports.length = from;
  candidates.keptForCache = false;
  return null;
}

/**
 * Picks, of several models, the cheapest relative to its expected quality. Null if neither public outcomes nor grades say enough: the
 * next step decides.
 */
export function byQuality(candidates: Candidates): Choice | null {
  const { models, verdict, session, learning, section } = candidates.input;
  if (models == null || learning?.why === 'upgrade' || !models.candidates.some(({ usable }) => usable)) return null;
  // If earlier turns raised the tier, the tiers decide: the prompt of this turn does not show what it needs.
  if (session?.state?.strong === true || candidates.needed !== verdict.tier) return null;
  const reports = compared(candidates).map((target) => {
    const report = candidates.report(target, verdict.tier, 'later');
    report.disqualified ??= candidates.priceFault(report, section.upgrades === 'allow');
    return report;
  });
  const report = bestOf(candidates, reports, models);
  if (report === null) return candidates.keep('kept-models');
  report.chosen = true;
  return candidates.take(report.target, 'models', null, verdict.tier);
}

/** The compared targets, in the order of the verdict. */
function compared({ input: { section, verdict } }: Candidates): readonly TargetRef[] {
  return section.models?.list ?? section.candidates[verdict.tier];
}

/** The compared model that takes the request; null for the requested model. */
function bestOf(
  candidates: Candidates,
  reports: readonly MutableReport[],
  { objective, usdPerScore, level, candidates: expected, probe }: ModelsVerdict,
): MutableReport | null {
  const { baseline } = candidates;
  const usdOf = reports.map(({ target, disqualified, estimate }) =>
    disqualified !== null || candidates.own(target) || !estimate.known ? NaN : estimate.usd,
  );
  for (;;) {
    const tried = probe !== null && !Number.isNaN(usdOf[probe]!) ? probe : null;
    const at =
      tried ??
      pickCandidate({ objective, usdPerScore, level, requestedUsd: baseline.known ? baseline.usd : NaN, candidates: expected, usd: usdOf });
    const report = reports[at];
    if (report === undefined || candidates.translates(report)) return report ?? null;
    usdOf[at] = NaN;
  }
}
