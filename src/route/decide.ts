import type { Mutable } from '../lib/mutable.ts';
import type { SessionFacts, SessionView } from '../sessions/types.ts';
import { Candidates } from './candidates.ts';
import { chainOf } from './chain.ts';
import type { Choice } from './choice.ts';
import { byQuality, byRouter, forced } from './learned.ts';
import { baselineOf, cachedAt } from './prices.ts';
import { Rules } from './rules.ts';
import { shapeOf } from './shape.ts';
import { byDefault, cheapened, fromTable } from './table.ts';
import type { BudgetStep, DecideInput, Decision } from './types.ts';

type MutableDecision = Mutable<Decision>;

/** HTTP status for a request that the policy blocks. */
const blockedStatus = 403;

/**
 * Decides which target answers a request, and why. Pure: the same input gives the same decision; time comes from `caller.now`. The order is
 * in docs/decisions.md: sensitivity, pinned, overrides, unknown model, rules, decision table, default, requested. If a section is not
 * enabled, the decision is only recorded. `cheaper`: what a budget asks for; it replaces that of the input.
 */
export function decide(input: DecideInput, cheaper: BudgetStep | undefined = input.cheaper): Decision {
  const decision = enabled(input, cheaper);
  if (input.section.mode === 'enabled') return decision;
  const { requested, action, reason } = decision;
  decision.wouldServe = action === 'block' ? null : decision.served;
  decision.action = 'keep';
  decision.served = requested;
  decision.chain = [requested];
  decision.reason = 'shadow';
  decision.shadowReason = reason;
  decision.block = null;
  decision.estimate = decision.baselineEstimate;
  return decision;
}

/** The decision of an enabled section. */
function enabled(input: DecideInput, cheaper: BudgetStep | undefined): MutableDecision {
  const candidates = new Candidates(input);
  const rules = new Rules(candidates);
  const { requested, requestedOutput } = candidates;
  const choice = cheapened(candidates, chosen(candidates, rules), cheaper);
  const blocked = choice.action === 'block';
  const chain = blocked ? [] : chainOf(candidates, choice);
  const served = chain[0] ?? requested;
  const shape = blocked ? null : shapeOf(candidates, choice, chain, rules.shapes, cheaper);
  const baseline = baselineOf(input, requested, served, candidates.answerTokens, shape !== null && shape.changes.length > 0);
  const assumed = Math.min(candidates.outputFor(served), candidates.most);
  // The chosen target is cooling down: its first fallback replaces it.
  const moved = !blocked && served !== (candidates.picked ?? choice.target);
  const decision: MutableDecision = {
    action: blocked ? 'block' : served === requested ? 'keep' : 'route',
    requested,
    served,
    chain,
    tier: choice.tier,
    reason: moved ? 'cooling-down' : choice.reason,
    rule: choice.rule,
    candidates: candidates.reports,
    wouldServe: null,
    block: blocked ? { status: blockedStatus, message: choice.message ?? 'This request is not allowed by policy.' } : null,
    assumedOutputTokens: assumed,
    estimate: candidates.estimate(served),
    baselineEstimate: candidates.baseline,
  };
  if (candidates.pool !== null && !moved) decision.pool = candidates.pool;
  addInputs(decision, candidates);
  if (baseline !== null) decision.baseline = baseline;
  if (shape !== null) decision.shape = shape;
  if (requestedOutput !== assumed) decision.baselineOutputTokens = requestedOutput;
  return decision;
}

/** The first step that applies says what is chosen. */
function chosen(candidates: Candidates, rules: Rules): Choice {
  const { exchange, section, keepModel } = candidates.input;
  const { needed } = candidates;
  return (
    rules.sensitivity() ??
    (keepModel === true ? rules.unlessBlocked('route-off') : null) ??
    (section.pinned.has(exchange.model) ? rules.unlessBlocked('pinned') : null) ??
    rules.first('overrides') ??
    // A model that is not in the catalog cannot be compared, so only an override, which does not compare, may replace it.
    (exchange.operation === 'generate' && candidates.requestedEntry === null && section.unknownModel === 'keep'
      ? rules.unlessBlocked('kept-unknown-model')
      : null) ??
    rules.first('rules') ??
    (exchange.operation !== 'generate' ? candidates.keep('kept-operation') : null) ??
    forced(candidates) ??
    byQuality(candidates) ??
    byRouter(candidates) ??
    (section.routedTiers.has(needed)
      ? fromTable(candidates, needed, section.upgrades === 'allow', 'tier', null)
      : candidates.keep('kept-tier-not-routed')) ??
    byDefault(candidates) ??
    candidates.keep('kept-no-candidate')
  );
}

/** Adds what the decision was based on, as far as there was something. */
function addInputs(decision: MutableDecision, candidates: Candidates): void {
  const { session, learned, models, learning } = candidates.input;
  if (session != null) decision.session = sessionFacts(candidates, session);
  if (learned != null) decision.learned = learned;
  if (models != null) decision.models = models;
  if (learning != null) decision.learning = learning;
}

function sessionFacts({ input, needed, keptForCache }: Candidates, { key, source, state }: SessionView): SessionFacts {
  const last = state?.last ?? null;
  return {
    key,
    source,
    turn: (state?.turns ?? 0) + 1,
    floor: state?.floor ?? null,
    raised: needed !== input.verdict.tier,
    last,
    cachedTokens: last === null ? 0 : cachedAt(input, last),
    keptForCache,
  };
}
