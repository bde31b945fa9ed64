import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LimitFigures } from '../budgets/rate-view.ts';
import type { BudgetFigures } from '../budgets/view.ts';
import { limits } from '../lib/limits.ts';
import type { ShapePlan } from '../apis/shape/types.ts';
import type { PassReason } from '../apis/types.ts';
import type { UsageMode } from '../attach/names.ts';
import type { Grade, GradedDecision, GradeSink } from '../grades/types.ts';
import type { AnswerSource, AttemptRecord, CacheEntryFacts, ExchangeRecord, RecordSink } from './types.ts';
import type { CallerClaim, IgnoredClaim, LivePolicyStore, PolicySnapshot, TargetRef } from '../policy/types.ts';
import type { TargetState } from '../route/cooldowns.ts';
import { GenAiMetrics, type AttemptLabels } from './genai-metrics.ts';
import { BoundedLabels, none, other } from './labels.ts';
import type { LogCounts } from './line-writer.ts';
import { metricTable, type MetricSpec } from './metric-table.ts';
import { distributionOf, type Distribution } from './distribution.ts';
import { count, Tally, type TallyCell } from './tally.ts';

export interface MetricsOptions {
  /** Sluice's version. */
  readonly version: string;
  readonly policy: () => PolicySnapshot;
  /** Whether the newest edit of the policy was rejected. */
  readonly refused: () => boolean;
  /** How often this process was started again; 0 if absent. */
  readonly restarts?: number;
}

/** Counted since the start; `waiting` is the current value. */
export interface LedgerFigures {
  readonly written: number;
  readonly dropped: number;
  readonly failures: number;
  readonly waiting: number;
}

/** Metrics counted elsewhere and copied at each scrape. */
const mirrored: ReadonlySet<string> = new Set([
  metricTable.spans.name,
  metricTable.otlpRecords.name,
  metricTable.ledgerRecords.name,
  metricTable.ledgerFailures.name,
  metricTable.logDropped.name,
  metricTable.restarts.name,
]);

const noLedger: LedgerFigures = { written: 0, dropped: 0, failures: 0, waiting: 0 };

/** The series of one model and provider, bound once. */
interface ModelSeries {
  readonly cost: TallyCell;
  readonly priced: TallyCell;
  readonly input: TallyCell;
  readonly output: TallyCell;
  readonly cached: TallyCell;
  readonly cacheWrite: TallyCell;
  readonly reasoning: TallyCell;
  readonly latency: Distribution;
  readonly firstToken: Distribution;
}

/** The series of one requested model. */
interface BaselineSeries {
  readonly baseline: TallyCell;
  readonly savings: TallyCell;
  readonly extra: TallyCell;
}

/** The provider's failure in an attempt; null if there is none or it is unknown. `asked`: the provider whose key the app sent. */
function attemptFailure({ reason, status, outcome, target }: AttemptRecord, asked: string | null): string | null {
  if (reason !== null) return reason;
  if (status === 429) return 'rate-limit';
  if (status !== null && status >= 500) return 'server-error';
  if ((status === 401 || status === 403) && target.provider !== asked) return 'key-dead';
  return outcome === 'cut' ? 'cut' : null;
}

/** All of Sluice's Prometheus metrics in their own registry. No method throws because of a request's content. */
export class Metrics implements RecordSink, GradeSink {
  readonly registry = new Registry();
  readonly #labels: BoundedLabels;
  readonly #tallies = new Map<MetricSpec, Tally>();
  readonly #latency = this.#histogram(metricTable.latency);
  readonly #firstToken = this.#histogram(metricTable.firstToken);
  readonly #age = this.#histogram(metricTable.cacheAge);
  readonly #overhead = distributionOf(this.#histogram(metricTable.overhead), {});
  readonly #genAi = new GenAiMetrics(this.registry);
  readonly #modelSeries = new Map<string, Map<string, ModelSeries>>();
  readonly #baselineSeries = new Map<string, Map<string, BaselineSeries>>();
  /** Number of series of all tallies together. */
  #series = 0;
  #pending: () => number = () => 0;
  #ledger: () => LedgerFigures = () => noLedger;
  #log: () => LogCounts = () => ({ dropped: 0 });
  #cooling: () => readonly { readonly target: TargetRef; readonly state: TargetState }[] = () => [];
  #otlpRecords: () => { readonly exported: number; readonly dropped: number } = () => ({ exported: 0, dropped: 0 });
  #spans: () => { readonly exported: number; readonly dropped: number } = () => ({ exported: 0, dropped: 0 });

  constructor(options: MetricsOptions) {
    this.#labels = new BoundedLabels(options.policy);
    for (const spec of Object.values(metricTable)) {
      if (spec.type === 'counter' && !mirrored.has(spec.name)) this.#tallies.set(spec, new Tally(spec, this.registry));
    }
    this.#gauge(metricTable.pending, () => this.#pending());
    this.#gauge(metricTable.ledgerWaiting, () => this.#ledger().waiting);
    this.#mirror(metricTable.ledgerRecords, (counter) => {
      counter.inc({ result: 'written' }, this.#ledger().written);
      counter.inc({ result: 'dropped' }, this.#ledger().dropped);
    });
    this.#mirror(metricTable.otlpRecords, (counter) => {
      counter.inc({ result: 'exported' }, this.#otlpRecords().exported);
      counter.inc({ result: 'dropped' }, this.#otlpRecords().dropped);
    });
    this.#mirror(metricTable.spans, (counter) => {
      counter.inc({ result: 'exported' }, this.#spans().exported);
      counter.inc({ result: 'dropped' }, this.#spans().dropped);
    });
    this.#mirror(metricTable.restarts, (counter) => counter.inc(options.restarts ?? 0));
    this.#mirror(metricTable.logDropped, (counter) => counter.inc(this.#log().dropped));
    this.#mirror(metricTable.ledgerFailures, (counter) => counter.inc(this.#ledger().failures));
    this.#gauge(metricTable.policyGeneration, () => options.policy().number);
    this.#gauge(metricTable.policyLoaded, () => options.policy().loadedAt / 1000);
    this.#gauge(metricTable.policyRefused, () => (options.refused() ? 1 : 0));
    this.#labelled(metricTable.cooling, (gauge) => {
      for (const { target, state } of this.#cooling())
        gauge
          .labels(this.#labels.provider(target.provider), this.#labels.target(target.provider, target.model))
          .set(state === 'cooling' ? 1 : 0.5);
    });
    this.#info(metricTable.catalog, () => [options.policy().catalog.version, options.policy().catalog.date]);
    this.#info(metricTable.build, () => [options.version, process.version]);
  }

  /** Source of the number of pending exchanges, read at each scrape. */
  watchPending(pending: () => number): void {
    this.#pending = pending;
  }

  /** Source of the policy's ConfigMaps, read at each scrape. */
  watchPolicySources(source: Pick<LivePolicyStore, 'sources'>): void {
    this.#labelled(metricTable.policyConfigMaps, (gauge) => {
      const states = source.sources().map(({ state }) => state);
      for (const state of ['in-force', 'last-good', 'left-out'] as const)
        gauge.labels(state).set(states.filter((each) => each === state).length);
    });
  }

  /** Source of the ends of certificates, ms since 1970, read at each scrape. */
  watchCertificates(ends: () => Readonly<Record<string, number>>): void {
    this.#labelled(metricTable.certificateEnd, (gauge) => {
      for (const [certificate, end] of Object.entries(ends())) gauge.labels(certificate).set(end / 1000);
    });
  }

  /** Source of whether there is no policy. */
  watchNoPolicy(none: () => boolean): void {
    this.#gauge(metricTable.policyNone, () => (none() ? 1 : 0));
  }

  /** Source of the number of the policy's key files that hold no key. */
  watchKeyFiles(missing: () => number): void {
    this.#gauge(metricTable.keyFilesMissing, missing);
  }

  /** Sets whether the policy is the one embedded in Sluice. */
  watchEmbeddedPolicy(embedded: boolean): void {
    this.#gauge(metricTable.policyEmbedded, () => (embedded ? 1 : 0));
  }

  /** Source of whether the policy's source can be reached. */
  watchPolicyConnection(connected: () => boolean): void {
    this.#gauge(metricTable.policyConnected, () => (connected() ? 1 : 0));
  }

  /** Source of the log's counts, read at each scrape. */
  watchLog(counts: () => LogCounts): void {
    this.#log = counts;
  }

  /** Source of the ledger's counts, read at each scrape. */
  watchLedger(figures: () => LedgerFigures): void {
    this.#ledger = figures;
  }

  /** Source of the targets in cool-down, read at each scrape. */
  watchCooldowns(states: () => readonly { readonly target: TargetRef; readonly state: TargetState }[]): void {
    this.#cooling = states;
  }

  /** Source of the counts of records for a collector, read at each scrape. */
  watchOtlpRecords(counts: () => { readonly exported: number; readonly dropped: number }): void {
    this.#otlpRecords = counts;
  }

  /** Source of the span counts, read at each scrape. */
  watchSpans(counts: () => { readonly exported: number; readonly dropped: number }): void {
    this.#spans = counts;
  }

  /** `experiment` and `result` must come from bounded lists: the policy's and the caller's. */
  shadowed(experiment: string, result: string): void {
    this.#inc(metricTable.shadows, experiment, result);
  }

  /** `event` and `cause` must come from the caller's bounded lists. */
  rolloutEvent(event: string, cause: string | null): void {
    this.#inc(metricTable.rolloutEvents, event, cause ?? none);
  }

  /** Source of the new policy's share and the evidence of running comparisons (0 to 1, where 1 is an alarm), read at each scrape. */
  watchTrials(
    share: () => number,
    evidence: () => readonly { readonly experiment: string; readonly metric: string; readonly level: number }[],
  ): void {
    this.#gauge(metricTable.rolloutShare, share);
    this.#labelled(metricTable.experimentEvidence, (gauge) => {
      for (const { experiment, metric, level } of evidence()) gauge.labels(experiment, metric).set(level);
    });
  }

  /** Source of the number of remembered conversations, read at each scrape. */
  watchSessions(size: () => number): void {
    this.#gauge(metricTable.sessions, size);
  }

  observe({ score, source }: Grade, { tier, provider, model, requestedModel }: GradedDecision): void {
    const label = this.#labels.model(provider, model, model !== requestedModel);
    this.#inc(metricTable.grades, source, tier, label);
    this.#add(metricTable.gradeScores, score, source, tier, label);
  }

  /** Both must come from the caller's bounded lists. */
  feedback(source: string, result: string): void {
    this.#inc(metricTable.feedback, source, result);
  }

  /** `result` must come from a bounded list of the caller's. */
  verified(result: string): void {
    this.#inc(metricTable.verified, result);
  }

  embedded(result: string): void {
    this.#inc(metricTable.embedded, result);
  }

  judged(result: string, usd: number | null): void {
    this.#inc(metricTable.judged, result);
    if (usd !== null) this.#add(metricTable.judgeCost, usd);
  }

  /** The source of an answer, on an Envoy with this usage mode. */
  answerSource(envoy: UsageMode, source: AnswerSource): void {
    this.#inc(metricTable.answerSources, envoy, source);
  }

  passthrough(reason: PassReason): void {
    this.#inc(metricTable.passthrough, reason);
  }

  /** One of the gateway's keys does not work. `kind` must come from a bounded list of the caller's. */
  keyProblem(kind: string): void {
    this.#inc(metricTable.keyProblems, kind);
  }

  /** Counts a pod that a webhook led to Sluice, or left as it was. */
  egressPod(mode: string, result: string): void {
    this.#inc(metricTable.egressPods, mode, result);
  }

  /** Counts a caller's claim that was ignored. */
  claimIgnored(claim: CallerClaim, why: IgnoredClaim['why']): void {
    this.#inc(metricTable.claimsIgnored, claim, why);
  }

  /** Counts a refused request: it could not be read or decided, and the policy lets no such request pass. */
  refused(reason: PassReason): void {
    this.#inc(metricTable.refused, reason);
  }

  /** `reason` must come from a bounded list of the caller's. */
  failOpen(reason: string): void {
    this.#inc(metricTable.failOpen, reason);
  }

  /** `kind` must come from a bounded list of the caller's. */
  protocolEvent(kind: string): void {
    this.#inc(metricTable.protocolEvents, kind);
  }

  /** `result` must come from a bounded list of the caller's. */
  cacheStore(result: string): void {
    this.#inc(metricTable.cacheStores, result);
  }

  /** `kind` must come from a bounded list of the caller's. */
  cacheBackendProblem(kind: string): void {
    this.#inc(metricTable.cacheBackendProblems, kind);
  }

  /** `budget` comes from the policy. */
  budgetAction(budget: string, action: string): void {
    this.#inc(metricTable.budgetActions, budget, action);
  }

  /** `limit` comes from the policy; `kind` and `action` come from bounded lists. */
  limitAction(limit: string, kind: string, action: string): void {
    this.#inc(metricTable.limitActions, limit, kind, action);
  }

  /** Counts a request of a workspace beyond the number that are counted separately. */
  sharedWorkspace(): void {
    this.#inc(metricTable.sharedWorkspaces);
  }

  /** Source of the number of workspaces that are counted separately without being named. */
  watchUnnamedWorkspaces(count: () => number): void {
    this.#gauge(metricTable.unnamedWorkspaces, count);
  }

  /** Source of the rate limits, read at each scrape. */
  watchLimits(figures: () => readonly LimitFigures[]): void {
    this.#labelled(metricTable.limitUsed, (gauge) => {
      for (const { limit, kind, used } of figures()) gauge.labels(limit, kind).set(used);
    });
  }

  /** `budget` comes from the policy. */
  budgetMessage(budget: string, result: string): void {
    this.#inc(metricTable.budgetMessages, budget, result);
  }

  /** `kind` must come from a bounded list of the caller's. */
  budgetBackendProblem(kind: string): void {
    this.#inc(metricTable.budgetBackendProblems, kind);
  }

  /** Source of the budgets, read at each scrape. */
  watchBudgets(figures: () => readonly BudgetFigures[]): void {
    const columns: readonly (readonly [MetricSpec, (figure: BudgetFigures) => number])[] = [
      [metricTable.budgetLimit, ({ limitUsd }) => limitUsd],
      [metricTable.budgetSpent, ({ spentUsd }) => spentUsd],
      [metricTable.budgetUsed, ({ used }) => used],
      [metricTable.budgetElapsed, ({ elapsed }) => elapsed],
      [metricTable.budgetCounters, ({ counters }) => counters],
    ];
    for (const [spec, read] of columns) {
      this.#labelled(spec, (gauge) => {
        for (const figure of figures()) gauge.labels(figure.budget).set(read(figure));
      });
    }
  }

  /** Counts a failure to share cool-downs with other replicas. */
  cooldownSharingProblem(): void {
    this.#inc(metricTable.cooldownSharingProblems);
  }

  /** Source of the cache's state, read at each scrape. */
  watchCache(
    stats: () => {
      readonly entries: number;
      readonly bytes: number;
      readonly evictions: number;
      readonly waiting: number;
      readonly redis: string;
    },
  ): void {
    this.#gauge(metricTable.cacheEntries, () => stats().entries);
    this.#gauge(metricTable.cacheBytes, () => stats().bytes);
    this.#gauge(metricTable.cacheEvictions, () => stats().evictions);
    this.#gauge(metricTable.cacheBackendUp, () => (stats().redis === 'up' ? 1 : 0));
    this.#gauge(metricTable.cacheWaiting, () => stats().waiting);
  }

  record(record: ExchangeRecord): void {
    // No app's request, and it does not pass Envoy: only what it costs.
    if (record.kind === 'judge') this.#paid(record);
    else this.#request(record);
  }

  #request(record: ExchangeRecord): void {
    const { decision, timing } = record;
    if (record.masked !== undefined) for (const { rule, matches } of record.masked) this.#add(metricTable.masked, matches, rule);
    // No provider answered a request that Sluice refused: no provider, model or latency is recorded.
    const refused = record.outcome === 'blocked' || record.outcome === 'not-cached';
    const answeredBy = refused
      ? null
      : (record.cacheEntry?.target.provider ?? record.attempts.at(-1)?.target.provider ?? decision?.served.provider ?? record.provider);
    const servedBy = this.#labels.provider(answeredBy);
    const model = this.#labels.model(answeredBy, record.servedModel, record.servedModel !== record.requestedModel);
    const tier = decision?.tier ?? record.cacheEntry?.tier ?? none;
    const reason = decision?.reason ?? record.passReason ?? (record.kind === 'cached' ? 'cache' : none);

    this.#inc(
      metricTable.requests,
      model,
      servedBy,
      record.api ?? none,
      tier,
      reason,
      record.cacheEntry === null ? 'false' : 'true',
      record.outcome,
    );
    if (decision !== null)
      this.#inc(metricTable.routes, tier, reason, this.#labels.model(record.provider, record.requestedModel, false), model);
    this.#chain(record, tier);
    if (record.arm !== null)
      for (const label of record.arm.split(','))
        this.#inc(metricTable.experiments, label.slice(0, label.lastIndexOf(':')), label.slice(label.lastIndexOf(':') + 1), record.outcome);
    if (decision?.session !== undefined)
      this.#inc(metricTable.sessionTurns, decision.session.keptForCache ? 'kept-for-cache' : decision.session.raised ? 'raised' : 'none');
    this.#attempts(record, tier);
    const workspace = this.#labels.workspace(record.workspace);
    this.#inc(metricTable.workspaceRequests, workspace);
    this.#overhead.observe(timing.overheadMs / 1000);

    if (record.cache !== 'off') this.#inc(metricTable.cache, record.cache);
    const series = this.#seriesOf(model, servedBy);
    if (record.cacheEntry !== null) this.#cached(record, record.cacheEntry);
    else if (!refused) this.#answered(record, series);
    this.#genAi.record(record, this.#labelsOf);
    this.#cost(record, series);
    if (decision?.shape !== undefined && record.mode === 'enabled') this.#shaped(record, decision.shape, model, servedBy);
    if (record.shadowSavings?.known === true && decision?.wouldServe != null)
      this.#wouldSave(record.shadowSavings.usd, decision.wouldServe);
  }

  #paid(record: ExchangeRecord): void {
    this.#cost(
      record,
      this.#seriesOf(this.#labels.model(record.provider, record.servedModel, true), this.#labels.provider(record.provider)),
    );
  }

  /** What an exchange costs, and what it saves. */
  #cost(record: ExchangeRecord, series: ModelSeries): void {
    if (record.cost.known) {
      count(series.cost, record.cost.usd);
      count(series.priced, 1);
      this.#add(metricTable.workspaceCost, record.cost.usd, this.#labels.workspace(record.workspace));
    } else {
      this.#inc(metricTable.costUnknown, record.cost.reason);
    }
    if (record.savings.known && record.baseline.known) {
      const baseline = this.#baselineOf(
        this.#labels.model(record.provider, record.requestedModel, false),
        this.#labels.provider(record.provider),
      );
      count(baseline.baseline, record.baseline.usd);
      if (record.savings.usd > 0) count(baseline.savings, record.savings.usd);
      if (record.savings.usd < 0) count(baseline.extra, -record.savings.usd);
    }
  }

  readonly #labelsOf = (record: ExchangeRecord, at: number): AttemptLabels => this.#attemptLabels(record, at);

  /** Targets of a shadow decision come from the policy, so they may be labels. */
  #wouldSave(usd: number, { provider, model }: TargetRef): void {
    this.#add(
      usd < 0 ? metricTable.shadowExtra : metricTable.shadowSavings,
      Math.abs(usd),
      this.#labels.model(provider, model, true),
      this.#labels.provider(provider),
    );
  }

  #shaped({ shapeSavings }: ExchangeRecord, { changes, left }: ShapePlan, model: string, provider: string): void {
    for (const part of new Set(changes.map((change) => change.part))) this.#inc(metricTable.shaped, part, 'changed');
    for (const { part, why } of left) this.#inc(metricTable.shaped, part, why);
    if (shapeSavings?.known === true && shapeSavings.usd > 0) this.#add(metricTable.shapeSavings, shapeSavings.usd, model, provider);
  }

  /** The requested model may be invented, also in a chain; all other names come from the policy. */
  #attemptLabels({ attempts, requestedModel }: ExchangeRecord, at: number): AttemptLabels {
    const { provider = null, model = null } = attempts[at]?.target ?? {};
    return { provider: this.#labels.provider(provider), model: this.#labels.model(provider, model, model !== requestedModel) };
  }

  /** Counts a model's answer. */
  #answered({ timing, usage, usageUnknown }: ExchangeRecord, series: ModelSeries): void {
    if (timing.totalMs !== null) series.latency.observe(timing.totalMs / 1000);
    if (timing.firstTokenMs !== null) series.firstToken.observe(timing.firstTokenMs / 1000);
    if (usage === null) {
      this.#inc(metricTable.usageUnknown, usageUnknown ?? 'not-observed');
    } else {
      count(series.input, usage.totalInput);
      count(series.output, usage.totalOutput);
      if (usage.cachedRead > 0) count(series.cached, usage.cachedRead);
      if (usage.cacheWrite5m + usage.cacheWrite1h > 0) count(series.cacheWrite, usage.cacheWrite5m + usage.cacheWrite1h);
      if (usage.reasoning > 0) count(series.reasoning, usage.reasoning);
    }
  }

  /** Counts an answer from the cache: no model spent time or tokens on it. */
  #cached(record: ExchangeRecord, entry: CacheEntryFacts): void {
    this.#age.observe(entry.ageSeconds);
    if (entry.savedMs !== null) this.#add(metricTable.cacheSavedSeconds, entry.savedMs / 1_000);
    if (record.savings.known && record.savings.usd > 0) this.#add(metricTable.cacheSavedCost, record.savings.usd);
  }

  /** Counts the providers that were asked, and those that failed by their own fault. Unobserved attempts are neither. */
  #attempts(record: ExchangeRecord, tier: string): void {
    const { attempts } = record;
    if (attempts.length > 1) this.#inc(metricTable.retried, tier);
    for (let at = 0; at < attempts.length; at++) {
      const attempt = attempts[at]!;
      const provider = this.#labels.provider(attempt.target.provider);
      const reason = attemptFailure(attempt, record.provider);
      this.#inc(metricTable.attempts, provider);
      if (reason === null) continue;
      this.#inc(metricTable.attemptFailures, provider, reason);
      if (attempt === attempts.at(-1)) this.#inc(metricTable.unanswered, tier);
    }
  }

  #chain(record: ExchangeRecord, tier: string): void {
    const { attempts, decision } = record;
    if (attempts.length === 0 || decision === null || decision.chain.length < 2) return;
    const name = (at: number): string => this.#attemptLabels(record, at).model;
    for (let at = 0; at + 1 < attempts.length; at++) this.#inc(metricTable.fallbacks, name(at), name(at + 1), attempts[at]?.reason ?? none);
    const last = attempts.at(-1);
    // Without a reason, the attempt was answered or was rejected for the app's own mistake.
    if (
      attempts.length === decision.chain.length &&
      last !== undefined &&
      (last.reason !== null || (last.status ?? 0) >= 500 || last.status === 429)
    ) {
      this.#inc(metricTable.fallbackExhausted, tier, last.reason ?? (last.status === 429 ? 'rate-limit' : 'server-error'));
    }
  }

  #seriesOf(model: string, provider: string): ModelSeries {
    let series = this.#modelSeries.get(provider)?.get(model);
    if (series === undefined) {
      series = {
        cost: this.#tally(metricTable.cost).begin([model, provider]),
        priced: this.#tally(metricTable.priced).begin([model, provider]),
        input: this.#tally(metricTable.inputTokens).begin([model]),
        output: this.#tally(metricTable.outputTokens).begin([model]),
        cached: this.#tally(metricTable.cachedTokens).begin([model]),
        cacheWrite: this.#tally(metricTable.cacheWriteTokens).begin([model]),
        reasoning: this.#tally(metricTable.reasoningTokens).begin([model]),
        latency: distributionOf(this.#latency, { model, provider }),
        firstToken: distributionOf(this.#firstToken, { model, provider }),
      };
      keep(this.#modelSeries, provider, model, series);
    }
    return series;
  }

  #baselineOf(model: string, provider: string): BaselineSeries {
    let series = this.#baselineSeries.get(provider)?.get(model);
    if (series === undefined) {
      series = {
        baseline: this.#tally(metricTable.baselineCost).begin([model, provider]),
        savings: this.#tally(metricTable.savings).begin([model, provider]),
        extra: this.#tally(metricTable.extraCost).begin([model, provider]),
      };
      // Both exist from the start: in PromQL, subtracting a missing series gives no result.
      count(series.savings, 0);
      count(series.extra, 0);
      keep(this.#baselineSeries, provider, model, series);
    }
    return series;
  }

  #inc(spec: MetricSpec, a?: string, b?: string, c?: string, d?: string, e?: string, f?: string, g?: string): void {
    this.#add(spec, 1, a, b, c, d, e, f, g);
  }

  /**
   * Each label value comes from a bounded list, but their product may be large: beyond the bound all labels of a combination become
   * `other`. Separate parameters avoid allocating a list.
   */
  #add(spec: MetricSpec, by: number, a?: string, b?: string, c?: string, d?: string, e?: string, f?: string, g?: string): void {
    const tally = this.#tally(spec);
    count(
      tally.find(a, b, c, d, e, f, g) ??
        this.#begin(
          tally,
          [a, b, c, d, e, f, g].filter((value) => value !== undefined),
        ),
      by,
    );
  }

  #begin(tally: Tally, values: readonly string[]): TallyCell {
    if (this.#series >= limits.metricSeries) return tally.begin(values.map(() => other));
    this.#series++;
    return tally.begin(values);
  }

  #tally(spec: MetricSpec): Tally {
    const tally = this.#tallies.get(spec);
    if (tally === undefined) throw new Error(`${spec.name} is not a counter of the metric table`);
    return tally;
  }

  #histogram(spec: MetricSpec): Histogram {
    return new Histogram({
      name: spec.name,
      help: spec.help,
      labelNames: [...spec.labels],
      buckets: [...(spec.buckets ?? [])],
      registers: [this.registry],
    });
  }

  #gauge(spec: MetricSpec, read: () => number): void {
    const gauge: Gauge = new Gauge({ name: spec.name, help: spec.help, registers: [this.registry], collect: () => gauge.set(read()) });
  }

  /** A counter that is kept elsewhere and copied at each scrape. */
  #mirror(spec: MetricSpec, copy: (counter: Counter) => void): void {
    const counter: Counter = new Counter({
      name: spec.name,
      help: spec.help,
      labelNames: [...spec.labels],
      registers: [this.registry],
      collect: () => {
        counter.reset();
        copy(counter);
      },
    });
  }

  /** A gauge whose series are rebuilt at each scrape. */
  #labelled(spec: MetricSpec, fill: (gauge: Gauge) => void): void {
    const gauge: Gauge = new Gauge({
      name: spec.name,
      help: spec.help,
      labelNames: [...spec.labels],
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        fill(gauge);
      },
    });
  }

  #info(spec: MetricSpec, read: () => readonly string[]): void {
    this.#labelled(spec, (gauge) => gauge.labels(...read()).set(1));
  }
}

function keep<T>(series: Map<string, Map<string, T>>, provider: string, model: string, one: T): void {
  const models = series.get(provider);
  if (models === undefined) series.set(provider, new Map([[model, one]]));
  else models.set(model, one);
}
