import { planShape } from '../apis/shape/plan.ts';
import { strictest, type Shape } from '../apis/shape/types.ts';
import { takesAsIs } from '../apis/translatable.ts';
import type { Cost, ModelEntry } from '../catalog/types.ts';
import { tiers, type Tier } from '../classify/types.ts';
import { higher } from '../sessions/store.ts';
import type { SessionFacts, SessionView } from '../sessions/types.ts';
import type { CompiledRule, Directive, FallbackPolicy, RuleInput, TargetRef } from '../policy/types.ts';
import { AskedRule } from './asked-rule.ts';
import { catalogModel, disqualify, entryOf, refusedBy, untranslatable, type Crossing } from './capabilities.ts';
import { chainAfter, tieredReasons } from './chain.ts';
import { withFallback, type Choice } from './choice.ts';
import { expectedAnswerTokens, expectedOutputTokens } from './estimate.ts';
import { PoolView, type Pooled } from './pool-view.ts';
import { baselineOf, cachedAt, learntOutput, priceOf, same, usd } from './prices.ts';
import type { ModelsVerdict } from '../router/candidates/types.ts';
import { pickCandidate } from '../router/candidates/pick.ts';
import type { PoolChoice } from './pools.ts';
import type { BudgetStep, CandidateReport, DecideInput, Decision, DecisionReason, Disqualification, ShapeFacts } from './types.ts';
import type { Mutable } from '../lib/mutable.ts';

type MutableReport = Mutable<CandidateReport>;

type NamedShape = readonly [by: string, shape: Shape];

/** HTTP status for a request that the policy blocks. */
const blockedStatus = 403;

/**
 * Decides which target answers a request, and why. Pure: the same input gives the same decision; time comes from `caller.now`. The order is
 * in docs/decisions.md: sensitivity, pinned, overrides, unknown model, rules, decision table, default, requested. If a section is not
 * enabled, the decision is only recorded. `cheaper`: what a budget asks for; it replaces that of the input.
 */
export function decide(input: DecideInput, cheaper: BudgetStep | undefined = input.cheaper): Decision {
  const decision = new Decider(input, cheaper).run();
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

type MutableDecision = Mutable<Decision>;

class Decider {
  readonly #input: DecideInput;
  readonly #cheapening: BudgetStep | undefined;
  readonly #ruleInput: RuleInput;
  /** The rule input with the classified task, if the caller states another one; null if it does not. */
  readonly #classified: RuleInput | null;
  readonly #requested: TargetRef;
  readonly #requestedEntry: ModelEntry | null;
  readonly #answerTokens: number;
  readonly #outputTokens: number;
  readonly #baseline: Cost;
  /** Output tokens of the requested model, and of the target that was asked for last. */
  readonly #requestedOutput: number;
  #outputTarget: TargetRef | null = null;
  #output = 0;
  readonly #reports: MutableReport[] = [];
  /** The target that a pool picked, which may be the chosen one; null if no pool was asked. */
  #picked: TargetRef | null = null;
  #pool: PoolChoice | null = null;
  #keptForCache = false;
  /** Shapes from rules, with or without a target, each with the rule's name. */
  readonly #shapes: NamedShape[] = [];
  /** The most output tokens that the shape allows for the whole call. */
  #most = Infinity;

  constructor(input: DecideInput, cheaper: BudgetStep | undefined) {
    const { exchange, verdict, provider } = input;
    this.#input = input;
    this.#cheapening = cheaper;
    this.#requested = { provider: provider.name, model: exchange.model };
    this.#requestedEntry = entryOf(input, this.#requested);
    this.#ruleInput = new AskedRule(input, verdict, this.#requestedEntry);
    const { classifiedTask } = verdict;
    this.#classified =
      classifiedTask === undefined || classifiedTask === verdict.task
        ? null
        : new AskedRule(input, { ...verdict, task: classifiedTask }, this.#requestedEntry);
    this.#answerTokens = expectedAnswerTokens(exchange, verdict);
    this.#outputTokens = expectedOutputTokens(exchange, verdict);
    this.#requestedOutput = learntOutput(input, this.#requested, this.#requested, this.#answerTokens) ?? this.#outputTokens;
    this.#baseline = priceOf(this.#input, this.#requested, this.#requestedOutput, cachedAt(this.#input, this.#requested));
  }

  run(): MutableDecision {
    const choice = this.#cheaper(this.#choose());
    const chain = choice.action === 'block' ? [] : this.#chain(choice);
    const served = chain[0] ?? this.#requested;
    const shape = choice.action === 'block' ? null : this.#shape(choice, chain);
    const baseline = baselineOf(this.#input, this.#requested, served, this.#answerTokens, shape !== null && shape.changes.length > 0);
    const assumed = Math.min(this.#outputFor(served), this.#most);
    // The chosen target is cooling down: its first fallback replaces it.
    const moved = choice.action !== 'block' && served !== (this.#picked ?? choice.target);
    const decision: MutableDecision = {
      action: choice.action === 'block' ? 'block' : served === this.#requested ? 'keep' : 'route',
      requested: this.#requested,
      served,
      chain,
      tier: choice.tier,
      reason: moved ? 'cooling-down' : choice.reason,
      rule: choice.rule,
      candidates: this.#reports,
      wouldServe: null,
      block:
        choice.action === 'block' ? { status: blockedStatus, message: choice.message ?? 'This request is not allowed by policy.' } : null,
      assumedOutputTokens: assumed,
      estimate: this.#estimate(served),
      baselineEstimate: this.#baseline,
    };
    if (this.#pool !== null && !moved) decision.pool = this.#pool;
    this.#addInputs(decision);
    if (baseline !== null) decision.baseline = baseline;
    if (shape !== null) decision.shape = shape;
    if (this.#requestedOutput !== assumed) decision.baselineOutputTokens = this.#requestedOutput;
    return decision;
  }

  /** Adds what the decision was based on, as far as there was something. */
  #addInputs(decision: MutableDecision): void {
    const { session, learned, models, learning } = this.#input;
    if (session != null) decision.session = this.#sessionFacts(session);
    if (learned != null) decision.learned = learned;
    if (models != null) decision.models = models;
    if (learning != null) decision.learning = learning;
  }

  /** The tier that this turn needs; never lower than that of an earlier turn of its conversation. */
  #needed(): Tier {
    const { verdict, session } = this.#input;
    const floor = session?.state?.floor;
    return floor === undefined ? verdict.tier : higher(floor, verdict.tier);
  }

  #sessionFacts({ key, source, state }: SessionView): SessionFacts {
    const last = state?.last ?? null;
    return {
      key,
      source,
      turn: (state?.turns ?? 0) + 1,
      floor: state?.floor ?? null,
      raised: this.#needed() !== this.#input.verdict.tier,
      last,
      cachedTokens: last === null ? 0 : cachedAt(this.#input, last),
      keptForCache: this.#keptForCache,
    };
  }

  #choose(): Choice {
    const { exchange, section, keepModel } = this.#input;
    const needed = this.#needed();
    return (
      this.#sensitivity() ??
      (keepModel === true ? this.#unlessBlocked('route-off') : null) ??
      (section.pinned.has(exchange.model) ? this.#unlessBlocked('pinned') : null) ??
      this.#rules('overrides') ??
      // A model that is not in the catalog cannot be compared, so only an override, which does not compare, may replace it.
      (exchange.operation === 'generate' && this.#requestedEntry === null && section.unknownModel === 'keep'
        ? this.#unlessBlocked('kept-unknown-model')
        : null) ??
      this.#rules('rules') ??
      (exchange.operation !== 'generate' ? this.#keep('kept-operation') : null) ??
      this.#forced() ??
      this.#models() ??
      this.#learned() ??
      (section.routedTiers.has(needed)
        ? this.#table(needed, section.upgrades === 'allow', 'tier', null)
        : this.#keep('kept-tier-not-routed')) ??
      this.#default() ??
      this.#keep('kept-no-candidate')
    );
  }

  /** Replaces a choice by a cheaper one when a budget is nearly used up. Sensitive data and pinned models keep their target. */
  #cheaper(choice: Choice): Choice {
    const { exchange } = this.#input;
    const cheaper = this.#cheapening;
    if (
      cheaper === undefined ||
      cheaper.tier === null ||
      choice.action === 'block' ||
      exchange.operation !== 'generate' ||
      choice.reason === 'sensitivity' ||
      choice.reason === 'pinned' ||
      choice.reason === 'route-off'
    )
      return choice;
    const estimate = this.#estimate(choice.target);
    const before = this.#reports.filter(({ chosen }) => chosen);
    const other = this.#table(cheaper.tier, true, 'budget', cheaper.budget);
    const gain = other !== null && usd(this.#estimate(other.target)) < usd(estimate);
    // Exactly one target is marked as chosen.
    for (const report of gain ? before : this.#reports) report.chosen = gain ? false : before.includes(report);
    return gain ? other : choice;
  }

  #wantsShape({ kind, name, shape }: CompiledRule): void {
    if (shape !== null) this.#shapes.push([`${kind} ${name}`, shape]);
  }

  /** Changes to the request's own parameters; null if the policy caps nothing here or the request must not be changed. */
  #shape(choice: Choice, chain: readonly TargetRef[]): ShapeFacts | null {
    const { section, exchange } = this.#input;
    if (exchange.operation !== 'generate' || choice.reason === 'route-off' || choice.reason === 'pinned') return null;
    const byTier = section.shapes?.[choice.tier] ?? null;
    const byBudget = this.#cheapening?.shape ?? null;
    if (this.#shapes.length === 0 && byTier === null && byBudget === null) return null;
    const wanted = [...this.#shapes];
    if (byTier !== null) wanted.push([`tier ${choice.tier}`, byTier]);
    if (byBudget !== null) wanted.push([`budget ${this.#cheapening!.budget}`, byBudget]);
    return this.#shapedBy(wanted, chain);
  }

  /** `wanted`: at least one. */
  #shapedBy(wanted: readonly NamedShape[], chain: readonly TargetRef[]): ShapeFacts {
    const { exchange, generation, provider } = this.#input;
    const own = chain.flatMap((target) => {
      const other = generation.providers.get(target.provider);
      return other !== undefined && (other === provider || takesAsIs(other, provider.family, exchange.api))
        ? [{ provider: other.catalogProvider, model: catalogModel(other, target.model) }]
        : [];
    });
    const shape = strictest(wanted.map(([, one]) => one));
    const plan = planShape(exchange, shape, own, own.length < chain.length);
    const unshapedOutputTokens = this.#outputFor(chain[0] ?? this.#requested);
    if (plan.changes.some(({ part }) => part === 'maxOutputTokens'))
      this.#most = (shape.maxOutputTokens ?? Infinity) * Math.max(1, exchange.n);
    return { by: wanted.map(([by]) => by), ...plan, unshapedOutputTokens };
  }

  /** The chosen target and its fallbacks; targets that are cooling down come last. */
  #chain(choice: Choice): readonly TargetRef[] {
    const { section, exchange } = this.#input;
    const { fallback } = section;
    // Sensitive data may only be sent to its secure model.
    if (fallback === null || exchange.operation !== 'generate' || choice.reason === 'sensitivity' || choice.reason === 'route-off')
      return [choice.target];
    return this.#chainBy(choice, fallback);
  }

  #chainBy(choice: Choice, fallback: FallbackPolicy): readonly TargetRef[] {
    const { section, exchange } = this.#input;
    const reports = new Map<string, MutableReport>();
    const report = (target: TargetRef): MutableReport => {
      const key = `${target.provider}/${target.model}`;
      let known = reports.get(key);
      if (known === undefined) reports.set(key, (known = this.#judge(target, choice.tier, 'checked')));
      return known;
    };
    const pools = this.#pools(fallback, (target) => same(target, choice.target) || report(target).disqualified === null);
    const pooled = tieredReasons.has(choice.reason) ? pools.of(choice.target) : null;
    const first = pooled === null ? choice.target : this.#pick(pooled, choice);
    const after = chainAfter({
      fallback,
      first,
      mates: pooled?.order.slice(1) ?? [],
      expand: (target) => pools.of(target)?.order ?? [target],
      firstEstimate: this.#estimate(first),
      requestedModel: exchange.model,
      reason: choice.reason,
      tier: choice.tier,
      ruleChain: choice.fallback ?? null,
      candidates: section.candidates,
      report,
    });
    for (const report of reports.values())
      if (!this.#reports.some(({ target: { provider, model } }) => provider === report.target.provider && model === report.target.model))
        this.#reports.push(report);
    const chain = [first, ...after.map((target) => (this.#own(target) ? this.#requested : target))];
    const awake = chain.filter((target) => this.#input.cooling?.(target) !== true);
    if (awake.length === 0 || awake.length === chain.length) return chain;
    for (const target of chain) {
      if (awake.includes(target)) continue;
      const resting = reports.get(`${target.provider}/${target.model}`) ?? this.#reports.find(({ chosen }) => chosen);
      if (resting !== undefined) resting.disqualified = 'cooling-down';
    }
    // Targets that are cooling down come last: if all others fail, trying them is better than giving up.
    return [...awake, ...chain.filter((target) => !awake.includes(target))];
  }

  /** The experiment's choice; if its model cannot do the job, the request is decided as usual. */
  #forced(): Choice | null {
    const { forced } = this.#input;
    if (forced === undefined || forced === null) return null;
    const tier = this.#needed();
    if (forced.target === null) return this.#keep('experiment', this.#input.verdict.tier, forced.experiment);
    const target = this.#explicit(forced.target, tier);
    return target === null ? null : this.#take(target, 'experiment', forced.experiment, tier);
  }

  #pools(fallback: FallbackPolicy, able: (target: TargetRef) => boolean): PoolView {
    const { exchange, caller, pools, session } = this.#input;
    return new PoolView({
      pools: fallback.pools,
      picker: pools,
      stream: exchange.stream,
      sticky: session?.key ?? caller.session ?? caller.workspace,
      usable: (target) => able(target) && this.#input.cooling?.(target) !== true,
    });
  }

  /** Takes the pool's pick instead of the chosen target. */
  #pick(pooled: Pooled, choice: Choice): TargetRef {
    const [pick = choice.target] = pooled.order;
    const target = same(pick, choice.target) ? choice.target : this.#own(pick) ? this.#requested : pick;
    this.#pool = pooled.choice;
    this.#picked = target;
    return target;
  }

  /**
   * Takes the weak model if grades, or otherwise the learned router, find it good enough; the requested model if they find it necessary.
   * Null without a verdict: the decision table decides. After a low grade, always the requested model.
   */
  #learned(): Choice | null {
    const { section, learned, learning, verdict, session } = this.#input;
    if (learning?.why === 'upgrade') return this.#keep('kept-upgraded');
    if (section.learned === null || learned == null) return null;
    const says = learning?.says ?? (learned.acts ? learned.says : null);
    if (says === null) return null;
    if (says === 'strong') return this.#keep('kept-learned');
    // An earlier turn needed the stronger model; this one ("yes, do it") looks easy but is not.
    if (session?.state?.strong === true) return this.#keep('kept-session');
    if (this.#needed() !== verdict.tier) return null;
    const report = this.#report(section.learned.weak, verdict.tier);
    report.disqualified ??= this.#priceFault(report, false);
    if (report.disqualified !== null || this.#own(report.target)) return null;
    const cheaper = this.#cheaperByTable(report, verdict.tier);
    if (cheaper !== null) return cheaper;
    report.chosen = true;
    return this.#take(report.target, 'learned', null, verdict.tier);
  }

  /**
   * Picks, of several models, the cheapest relative to its expected quality. Null if neither public outcomes nor grades say enough: the
   * next step decides.
   */
  #models(): Choice | null {
    const { models, verdict, session, learning } = this.#input;
    if (models == null || learning?.why === 'upgrade' || !models.candidates.some(({ usable }) => usable)) return null;
    // If earlier turns raised the tier, the tiers decide: the prompt of this turn does not show what it needs.
    if (session?.state?.strong === true || this.#needed() !== verdict.tier) return null;
    const reports = this.#compared().map((target) => {
      const report = this.#report(target, verdict.tier, 'later');
      report.disqualified ??= this.#priceFault(report, this.#input.section.upgrades === 'allow');
      return report;
    });
    const report = this.#bestOf(reports, models);
    if (report === null) return this.#keep('kept-models');
    report.chosen = true;
    return this.#take(report.target, 'models', null, verdict.tier);
  }

  /** The compared model that takes the request; null for the requested model. */
  #bestOf(reports: readonly MutableReport[], { objective, usdPerScore, level, candidates, probe }: ModelsVerdict): MutableReport | null {
    const usdOf = reports.map(({ target, disqualified, estimate }) =>
      disqualified !== null || this.#own(target) || !estimate.known ? NaN : estimate.usd,
    );
    for (;;) {
      const tried = probe !== null && !Number.isNaN(usdOf[probe]!) ? probe : null;
      const at =
        tried ??
        pickCandidate({
          objective,
          usdPerScore,
          level,
          requestedUsd: this.#baseline.known ? this.#baseline.usd : NaN,
          candidates,
          usd: usdOf,
        });
      const report = reports[at];
      if (report === undefined || this.#translates(report)) return report ?? null;
      usdOf[at] = NaN;
    }
  }

  /** The compared targets, in the order of the verdict. */
  #compared(): readonly TargetRef[] {
    const { section, verdict } = this.#input;
    return section.models?.list ?? section.candidates[verdict.tier];
  }

  /** The decision table's choice, if it costs less than the weak model: learning must not reduce the table's savings. */
  #cheaperByTable(weak: CandidateReport, tier: Tier): Choice | null {
    const { section } = this.#input;
    if (!section.routedTiers.has(tier)) return null;
    const from = this.#reports.length;
    const choice = this.#table(tier, section.upgrades === 'allow', 'tier', null);
    if (choice?.action === 'route' && usd(this.#estimate(choice.target)) < usd(weak.estimate)) return choice;
    this.#reports.length = from;
    this.#keptForCache = false;
    return null;
  }

  #sensitivity(): Choice | null {
    const { sensitive, section, verdict } = this.#input;
    for (let at = 0; at < section.sensitivity.length; at++) {
      const rule = section.sensitivity[at]!;
      if (sensitive?.[at] !== true || rule.then.kind === 'mask') continue;
      if (rule.then.kind === 'block') return this.#block(rule.name, rule.then.message);
      const target = this.#explicit(rule.then.target, verdict.tier);
      if (target !== null) return this.#take(target, 'sensitivity', rule.name, verdict.tier);
      // The policy allows only the secure model for this data. If it cannot take the request, nothing else may.
      return this.#block(
        rule.name,
        `The model for sensitive data cannot take this request (${this.#reports.at(-1)?.disqualified ?? 'unreachable'}).`,
      );
    }
    return null;
  }

  #rules(list: 'overrides' | 'rules'): Choice | null {
    const rules = this.#input.section[list];
    for (let at = 0; at < rules.length; at++) {
      const rule = rules[at]!;
      if (!this.#applies(rule.then) || !this.#matches(rule)) continue;
      if (rule.then.kind === 'shape') {
        this.#wantsShape(rule);
        continue;
      }
      const choice = this.#follow(rule.then, rule.kind, rule.name);
      if (choice === null) continue;
      this.#wantsShape(rule);
      // Callers can set these headers freely, so a rule that depends on one does not lift a later block.
      return (this.#hinted(rule) && choice.action !== 'block' ? this.#blocked(list, at + 1) : null) ?? choice;
    }
    return null;
  }

  /** A block also applies to the classified task, whatever task the caller states. */
  #matches(rule: CompiledRule): boolean {
    return rule.matches(this.#ruleInput) || (this.#classified !== null && rule.then.kind === 'block' && rule.matches(this.#classified));
  }

  /** Whether a rule may match only because of what the caller states. */
  #hinted(rule: CompiledRule): boolean {
    return rule.hinted || (rule.readsTask && this.#classified !== null);
  }

  /** Keeps the requested model unless a block matches: a caller cannot bypass a block. */
  #unlessBlocked(reason: DecisionReason): Choice {
    return this.#blocked('overrides', 0) ?? this.#keep(reason);
  }

  /**
   * The first matching block from a position in the overrides or rules. Only a `keep` that does not depend on the caller takes precedence.
   */
  #blocked(list: 'overrides' | 'rules', from: number): Choice | null {
    const { section } = this.#input;
    for (const rule of [...section[list].slice(from), ...(list === 'overrides' ? section.rules : [])]) {
      const { then } = rule;
      if ((then.kind !== 'block' && then.kind !== 'keep') || (then.kind === 'keep' && this.#hinted(rule)) || !this.#matches(rule)) continue;
      return then.kind === 'block' ? this.#block(rule.name, then.message) : null;
    }
    return null;
  }

  /** Tiers do not apply to embeddings and token counts: only rules that name a model, keep or block do. */
  #applies(directive: Directive): boolean {
    return (
      this.#input.exchange.operation === 'generate' ||
      (directive.kind !== 'tier' && directive.kind !== 'best' && directive.kind !== 'shape')
    );
  }

  #follow(directive: Directive, reason: 'override' | 'rule', rule: string): Choice | null {
    const { verdict } = this.#input;
    switch (directive.kind) {
      case 'block':
        return this.#block(rule, directive.message);
      case 'keep':
        return this.#keep('kept-by-rule', verdict.tier, rule);
      case 'shape':
        return null;
      case 'model': {
        const target = this.#explicit(directive.target, verdict.tier);
        return target === null ? null : withFallback(this.#take(target, reason, rule, verdict.tier), directive.fallback);
      }
      case 'tier':
        return withFallback(this.#table(directive.tier, true, reason, rule), directive.fallback);
      case 'best':
        return withFallback(this.#best(reason, rule), directive.fallback);
    }
  }

  /** The cheapest qualifying candidate of the tier, or else of the next higher tier. Null if none qualifies. */
  #table(from: Tier, upgrade: boolean, reason: 'tier' | 'override' | 'rule' | 'budget', rule: string | null): Choice | null {
    for (let at = tiers.indexOf(from); at < tiers.length; at++) {
      const tier = tiers[at]!;
      let best: MutableReport | null = null;
      let tooCostly = false;
      const candidates = this.#input.section.candidates[tier];
      for (let index = 0; index < candidates.length; index++) {
        const report = this.#report(candidates[index]!, tier, 'later');
        report.disqualified ??= this.#priceFault(report, upgrade);
        if (report.disqualified === 'costlier-than-requested') tooCostly = true;
        if (report.disqualified !== null || (best !== null && usd(report.estimate) >= usd(best.estimate))) continue;
        if (this.#translates(report)) best = report;
      }
      if (best !== null) {
        best.chosen = true;
        this.#keptForCache = cachedAt(this.#input, best.target) > 0 && this.#cheaperUncached(best, tier);
        const target = this.#own(best.target) ? this.#requested : best.target;
        return this.#take(target, reason === 'tier' && target === this.#requested ? 'kept-cheapest' : reason, rule, tier);
      }
      // A model of this tier qualifies but the requested one costs no more; a higher tier would cost even more.
      if (tooCostly) return this.#keep('kept-cheapest', tier);
    }
    return null;
  }

  /** Whether this request can be translated to a candidate's API, if it differs; checked only for candidates that would be taken. */
  #translates(report: MutableReport): boolean {
    if (this.#input.exchange.operation === 'generate' && !untranslatable(this.#input, report.target)) return true;
    report.disqualified = 'not-translatable';
    this.#sayObstacles(report);
    return false;
  }

  /** Whether another candidate of the tier would have been cheaper without cached tokens at the chosen one. */
  #cheaperUncached(best: CandidateReport, tier: Tier): boolean {
    const full = this.#estimate(best.target, 0);
    return (
      full.known &&
      this.#reports.some(
        (report) => report.tier === tier && report !== best && report.disqualified === null && usd(report.estimate) < full.usd,
      )
    );
  }

  #priceFault(report: CandidateReport, upgrade: boolean): Disqualification | null {
    if (!report.estimate.known) return 'unknown-price';
    if (upgrade || this.#requestedEntry === null || this.#own(report.target)) return null;
    // Without the requested model's price it is unknown whether this one costs more.
    if (!this.#baseline.known) return 'unknown-price';
    return report.estimate.usd > this.#baseline.usd ? 'costlier-than-requested' : null;
  }

  #best(reason: 'override' | 'rule', rule: string): Choice | null {
    const tier = tiers.at(-1)!;
    for (const target of this.#input.section.candidates[tier]) {
      const taken = this.#explicit(target, tier);
      if (taken !== null) return this.#take(taken, reason, rule, tier);
    }
    return null;
  }

  #default(): Choice | null {
    const { section, verdict } = this.#input;
    if (section.defaultTarget === null) return null;
    const target = this.#explicit(section.defaultTarget, verdict.tier);
    return target === null ? null : this.#take(target, 'default', null, verdict.tier);
  }

  /** A target that the policy names explicitly: only its capabilities are checked, not its price. */
  #explicit(target: TargetRef, tier: Tier): TargetRef | null {
    const report = this.#report(target, tier);
    if (report.disqualified !== null) return null;
    report.chosen = true;
    return this.#own(target) ? this.#requested : target;
  }

  #report(target: TargetRef, tier: Tier, crossing: Crossing = 'no'): MutableReport {
    const report = this.#judge(target, tier, crossing);
    this.#reports.push(report);
    return report;
  }

  #usedUp(target: TargetRef, tier: Tier): Disqualification | null {
    if (this.#input.overBudget?.(target, tier) === true) return 'over-budget';
    return this.#input.overLimit?.(target, tier) === true ? 'over-limit' : null;
  }

  #judge(target: TargetRef, tier: Tier, crossing: Crossing): MutableReport {
    const disqualified = this.#own(target)
      ? null
      : (disqualify(this.#input, target, entryOf(this.#input, target), this.#answerTokens, crossing) ?? this.#usedUp(target, tier));
    const estimate = this.#estimate(target);
    const tokens = this.#outputFor(target);
    // At once: a member that is added later costs as much as three.
    const report: MutableReport =
      tokens === this.#outputTokens
        ? { target, tier, estimate, disqualified, chosen: false }
        : { target, tier, estimate, disqualified, chosen: false, outputTokens: tokens };
    if (disqualified === 'parameter') report.refused = refusedBy(this.#input, target) ?? '';
    else if (disqualified === 'not-translatable') this.#sayObstacles(report);
    return report;
  }

  #sayObstacles(report: MutableReport): void {
    const family = this.#input.generation.providers.get(report.target.provider)?.family;
    const obstacles = family === undefined ? undefined : this.#input.obstacles?.(report.target, family);
    if (obstacles !== undefined && obstacles.length > 0) report.obstacles = obstacles;
  }

  /** Whether a target is the requested model, including under another of its catalog names. */
  #own(target: TargetRef): boolean {
    if (target.provider !== this.#requested.provider) return false;
    if (target.model === this.#requested.model) return true;
    return this.#requestedEntry !== null && entryOf(this.#input, target) === this.#requestedEntry;
  }

  #estimate(target: TargetRef, cachedTokens = cachedAt(this.#input, target)): Cost {
    if (this.#most === Infinity && same(target, this.#requested) && cachedTokens === cachedAt(this.#input, target)) return this.#baseline;
    return priceOf(this.#input, target, Math.min(this.#outputFor(target), this.#most), cachedTokens);
  }

  /** Estimated output tokens of the whole call at a target: as learnt, within the app's own limit, or else the task's default. */
  #outputFor(target: TargetRef): number {
    if (same(target, this.#requested)) return this.#requestedOutput;
    if (this.#outputTarget !== target) {
      this.#output = learntOutput(this.#input, target, this.#requested, this.#answerTokens) ?? this.#outputTokens;
      this.#outputTarget = target;
    }
    return this.#output;
  }

  #take(target: TargetRef, reason: DecisionReason, rule: string | null, tier: Tier): Choice {
    return { action: target === this.#requested ? 'keep' : 'route', target, reason, rule, tier, message: null };
  }

  #keep(reason: DecisionReason, tier: Tier = this.#input.verdict.tier, rule: string | null = null): Choice {
    return { action: 'keep', target: this.#requested, reason, rule, tier, message: null };
  }

  #block(rule: string, message: string): Choice {
    return { action: 'block', target: this.#requested, reason: 'blocked', rule, tier: this.#input.verdict.tier, message };
  }
}
