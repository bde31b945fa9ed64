import type { PolicySection, TargetRef } from './section-types.ts';

/**
 * The unit that stays in one arm. `session`: a conversation (a request without one is its own unit); `workspace`: all requests of a
 * workspace; `request`: each request separately.
 */
export type UnitKind = 'session' | 'workspace' | 'request';

/** Which requests take part. */
export interface ExperimentMatch {
  /** Names, or prefixes that end in *; null for all. */
  readonly workspaces: readonly string[] | null;
  readonly providers: ReadonlySet<string> | null;
}

interface Experiment {
  readonly name: string;
  readonly match: ExperimentMatch;
  /** The treatment's share of the requests that match, 0 to 1. */
  readonly share: number;
  readonly by: UnitKind;
  /** Changes when the subject of the experiment changes. */
  readonly id: string;
}

/** A share of the requests is answered by another model, or decided by other settings. */
interface AbExperiment extends Experiment {
  readonly kind: 'ab';
  /** `requested`: the app's own model; a map: a model by provider of the traffic; null if the treatment is other settings. */
  readonly target: 'requested' | ReadonlyMap<string, TargetRef> | null;
  /** Returns the section with the other settings; null if the treatment has none. */
  readonly section: ((workspace: string, provider: string) => PolicySection) | null;
  /** Ends automatically when the treatment is shown to do harm. */
  readonly stopOnHarm: boolean;
}

/** A share of the requests is also sent to another model, whose answers are graded and discarded. */
interface ShadowExperiment extends Experiment {
  readonly kind: 'shadow';
  /** By provider of the traffic. */
  readonly targets: ReadonlyMap<string, TargetRef>;
  readonly maxUsdPerDay: number;
}

export type PolicyExperiment = AbExperiment | ShadowExperiment;

/** How a policy replaces the previous one. */
export interface RolloutPolicy {
  /** Shares of the requests, ascending, each strictly between 0 and 1. After the last stage, all requests. */
  readonly stages: readonly number[];
  readonly by: UnitKind;
  /** Minimum answers of the new policy per stage. */
  readonly requests: number;
  /** Minimum time of a stage, in ms. */
  readonly stageMs: number;
  /** How long the old policy is kept ready, in ms. */
  readonly keepMs: number;
  /** Total false-alarm probability of all tests. */
  readonly falseAlarm: number;
  readonly horizon: number;
  readonly tolerance: Tolerance;
}

/** Differences that do not count as harm. Scores: the difference of the means; amounts: relative. */
interface Tolerance {
  readonly quality: number;
  readonly errors: number;
  readonly cost: number;
  readonly latency: number;
}

export interface ComparisonOptions {
  readonly falseAlarm: number;
  readonly horizon: number;
  readonly tolerance: Tolerance;
}

export const defaultComparison: ComparisonOptions = {
  falseAlarm: 0.05,
  horizon: 2_000,
  tolerance: { quality: 0, errors: 0, cost: 0.1, latency: 0.25 },
};

/** How long a policy is kept ready after its replacement, unless the new one says otherwise: two weeks, in ms. */
export const defaultKeepMs = 14 * 24 * 3_600_000;
