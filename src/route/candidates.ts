import type { Cost, ModelEntry } from '../catalog/types.ts';
import type { Tier } from '../classify/types.ts';
import type { Mutable } from '../lib/mutable.ts';
import type { TargetRef } from '../policy/types.ts';
import { higher } from '../sessions/store.ts';
import { disqualify, entryOf, refusedBy, untranslatable, type Crossing } from './capabilities.ts';
import type { Choice } from './choice.ts';
import { expectedAnswerTokens, expectedOutputTokens } from './estimate.ts';
import type { PoolChoice } from './pools.ts';
import { cachedAt, learntOutput, priceOf, same } from './prices.ts';
import type { CandidateReport, DecideInput, DecisionReason, Disqualification } from './types.ts';

export type MutableReport = Mutable<CandidateReport>;

/** What one decision knows of its targets: whether each can take the request, and what it would cost. The steps of the decision share it. */
export class Candidates {
  readonly input: DecideInput;
  readonly requested: TargetRef;
  readonly requestedEntry: ModelEntry | null;
  readonly answerTokens: number;
  /** Output tokens of the requested model, and what it costs. */
  readonly requestedOutput: number;
  readonly baseline: Cost;
  /** Each target that was considered, in this order. */
  readonly reports: MutableReport[] = [];
  /** The most output tokens that the shape allows for the whole call. */
  most = Infinity;
  /** The chosen target would not be the cheapest without what is in its prompt cache. */
  keptForCache = false;
  /** The target that a pool picked, which may be the chosen one; null if no pool was asked. */
  picked: TargetRef | null = null;
  pool: PoolChoice | null = null;
  readonly #outputTokens: number;
  /** The target that was asked for last, and its output tokens. */
  #outputTarget: TargetRef | null = null;
  #output = 0;

  constructor(input: DecideInput) {
    const { exchange, verdict, provider } = input;
    this.input = input;
    this.requested = { provider: provider.name, model: exchange.model };
    this.requestedEntry = entryOf(input, this.requested);
    this.answerTokens = expectedAnswerTokens(exchange, verdict);
    this.#outputTokens = expectedOutputTokens(exchange, verdict);
    this.requestedOutput = learntOutput(input, this.requested, this.requested, this.answerTokens) ?? this.#outputTokens;
    this.baseline = priceOf(input, this.requested, this.requestedOutput, cachedAt(input, this.requested));
  }

  /** The tier that this turn needs; never lower than that of an earlier turn of its conversation. */
  get needed(): Tier {
    const { verdict, session } = this.input;
    const floor = session?.state?.floor;
    return floor === undefined ? verdict.tier : higher(floor, verdict.tier);
  }

  /** Checks a target, and keeps the report. */
  report(target: TargetRef, tier: Tier, crossing: Crossing = 'no'): MutableReport {
    const report = this.check(target, tier, crossing);
    this.reports.push(report);
    return report;
  }

  check(target: TargetRef, tier: Tier, crossing: Crossing): MutableReport {
    const { input } = this;
    const disqualified = this.own(target)
      ? null
      : (disqualify(input, target, entryOf(input, target), this.answerTokens, crossing) ?? this.#usedUp(target, tier));
    const estimate = this.estimate(target);
    const tokens = this.outputFor(target);
    // At once: a member that is added later costs as much as three.
    const report: MutableReport =
      tokens === this.#outputTokens
        ? { target, tier, estimate, disqualified, chosen: false }
        : { target, tier, estimate, disqualified, chosen: false, outputTokens: tokens };
    if (disqualified === 'parameter') report.refused = refusedBy(input, target) ?? '';
    else if (disqualified === 'not-translatable') this.#sayObstacles(report);
    return report;
  }

  /** A target that the policy names explicitly: only its capabilities are checked, not its price. */
  explicit(target: TargetRef, tier: Tier): TargetRef | null {
    const report = this.report(target, tier);
    if (report.disqualified !== null) return null;
    report.chosen = true;
    return this.own(target) ? this.requested : target;
  }

  /** Why a target's price speaks against it. `upgrade`: it may cost more than the requested model. */
  priceFault(report: CandidateReport, upgrade: boolean): Disqualification | null {
    if (!report.estimate.known) return 'unknown-price';
    if (upgrade || this.requestedEntry === null || this.own(report.target)) return null;
    // Without the requested model's price it is unknown whether this one costs more.
    if (!this.baseline.known) return 'unknown-price';
    return report.estimate.usd > this.baseline.usd ? 'costlier-than-requested' : null;
  }

  /** Whether this request can be translated to a candidate's API, if it differs; checked only for candidates that would be taken. */
  translates(report: MutableReport): boolean {
    if (this.input.exchange.operation === 'generate' && !untranslatable(this.input, report.target)) return true;
    report.disqualified = 'not-translatable';
    this.#sayObstacles(report);
    return false;
  }

  /** Whether a target is the requested model, including under another of its catalog names. */
  own(target: TargetRef): boolean {
    if (target.provider !== this.requested.provider) return false;
    if (target.model === this.requested.model) return true;
    return this.requestedEntry !== null && entryOf(this.input, target) === this.requestedEntry;
  }

  /** Estimated cost of the whole call at a target. */
  estimate(target: TargetRef, cachedTokens = cachedAt(this.input, target)): Cost {
    if (this.most === Infinity && same(target, this.requested) && cachedTokens === cachedAt(this.input, target)) return this.baseline;
    return priceOf(this.input, target, Math.min(this.outputFor(target), this.most), cachedTokens);
  }

  /** Estimated output tokens of the whole call at a target: as learnt, within the app's own limit, or else the task's default. */
  outputFor(target: TargetRef): number {
    if (same(target, this.requested)) return this.requestedOutput;
    if (this.#outputTarget !== target) {
      this.#output = learntOutput(this.input, target, this.requested, this.answerTokens) ?? this.#outputTokens;
      this.#outputTarget = target;
    }
    return this.#output;
  }

  /** The choice of a target. */
  take(target: TargetRef, reason: DecisionReason, rule: string | null, tier: Tier): Choice {
    return { action: target === this.requested ? 'keep' : 'route', target, reason, rule, tier, message: null };
  }

  /** The choice of the requested model. */
  keep(reason: DecisionReason, tier: Tier = this.input.verdict.tier, rule: string | null = null): Choice {
    return { action: 'keep', target: this.requested, reason, rule, tier, message: null };
  }

  /** The choice of no target at all. */
  block(rule: string, message: string): Choice {
    return { action: 'block', target: this.requested, reason: 'blocked', rule, tier: this.input.verdict.tier, message };
  }

  #usedUp(target: TargetRef, tier: Tier): Disqualification | null {
    if (this.input.overBudget?.(target, tier) === true) return 'over-budget';
    return this.input.overLimit?.(target, tier) === true ? 'over-limit' : null;
  }

  #sayObstacles(report: MutableReport): void {
    const family = this.input.generation.providers.get(report.target.provider)?.family;
    const obstacles = family === undefined ? undefined : this.input.obstacles?.(report.target, family);
    if (obstacles !== undefined && obstacles.length > 0) report.obstacles = obstacles;
  }
}
