import { Counter, Gauge, Registry } from 'prom-client';
import type { LimitFigures } from '../budgets/rate-view.ts';
import type { BudgetFigures } from '../budgets/view.ts';
import type { LivePolicyStore, PolicySnapshot, TargetRef } from '../policy/types.ts';
import type { TargetState } from '../route/cooldowns.ts';
import type { BoundedLabels } from './labels.ts';
import type { LogCounts } from './line-writer.ts';
import type { MetricSpec } from './metric-specs/spec.ts';
import { metricTable } from './metric-table.ts';

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
export const mirrored: ReadonlySet<string> = new Set([
  metricTable.spans.name,
  metricTable.otlpRecords.name,
  metricTable.ledgerRecords.name,
  metricTable.ledgerFailures.name,
  metricTable.logDropped.name,
  metricTable.restarts.name,
]);

const noLedger: LedgerFigures = { written: 0, dropped: 0, failures: 0, waiting: 0 };

/** The metrics that are read from the rest of Sluice at each scrape, and the registry of all. Nothing here runs on the request path. */
export class ScrapedMetrics {
  readonly registry = new Registry();
  #pending: () => number = () => 0;
  #ledger: () => LedgerFigures = () => noLedger;
  #log: () => LogCounts = () => ({ dropped: 0 });
  #cooling: () => readonly { readonly target: TargetRef; readonly state: TargetState }[] = () => [];
  #otlpRecords: () => { readonly exported: number; readonly dropped: number } = () => ({ exported: 0, dropped: 0 });
  #spans: () => { readonly exported: number; readonly dropped: number } = () => ({ exported: 0, dropped: 0 });

  constructor(options: MetricsOptions, labels: BoundedLabels) {
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
        gauge.labels(labels.provider(target.provider), labels.target(target.provider, target.model)).set(state === 'cooling' ? 1 : 0.5);
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
