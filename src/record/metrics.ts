import { Histogram } from 'prom-client';
import { limits } from '../lib/limits.ts';
import type { ShapePlan } from '../apis/shape/types.ts';
import type { PassReason } from '../apis/types.ts';
import type { UsageMode } from '../attach/names.ts';
import type { Grade, GradedDecision, GradeSink } from '../grades/types.ts';
import type { AnswerSource, AttemptRecord, CacheEntryFacts, ExchangeRecord, RecordSink } from './types.ts';
import type { CallerClaim, IgnoredClaim, TargetRef } from '../policy/types.ts';
import { GenAiMetrics, type AttemptLabels } from './genai-metrics.ts';
import { BoundedLabels, none, other } from './labels.ts';
import type { MetricSpec } from './metric-specs/spec.ts';
import { metricTable } from './metric-table.ts';
import { distributionOf, type Distribution } from './distribution.ts';
import { mirrored, ScrapedMetrics, type MetricsOptions } from './scraped-metrics.ts';
import { count, Tally, type TallyCell } from './tally.ts';

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
export class Metrics extends ScrapedMetrics implements RecordSink, GradeSink {
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

  constructor(options: MetricsOptions) {
    const labels = new BoundedLabels(options.policy);
    super(options, labels);
    this.#labels = labels;
    for (const spec of Object.values(metricTable)) {
      if (spec.type === 'counter' && !mirrored.has(spec.name)) this.#tallies.set(spec, new Tally(spec, this.registry));
    }
  }

  /** `experiment` and `result` must come from bounded lists: the policy's and the caller's. */
  shadowed(experiment: string, result: string): void {
    this.#inc(metricTable.shadows, experiment, result);
  }

  /** `event` and `cause` must come from the caller's bounded lists. */
  rolloutEvent(event: string, cause: string | null): void {
    this.#inc(metricTable.rolloutEvents, event, cause ?? none);
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

  /** `budget` comes from the policy. */
  budgetMessage(budget: string, result: string): void {
    this.#inc(metricTable.budgetMessages, budget, result);
  }

  /** `kind` must come from a bounded list of the caller's. */
  budgetBackendProblem(kind: string): void {
    this.#inc(metricTable.budgetBackendProblems, kind);
  }

  /** Counts a failure to share cool-downs with other replicas. */
  cooldownSharingProblem(): void {
    this.#inc(metricTable.cooldownSharingProblems);
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
}

function keep<T>(series: Map<string, Map<string, T>>, provider: string, model: string, one: T): void {
  const models = series.get(provider);
  if (models === undefined) series.set(provider, new Map([[model, one]]));
  else models.set(model, one);
}
