import type { PolicySection, TargetRef } from './section-types.ts';

/** Who stays in one arm. `session`: a conversation (a request without one stands for itself); `workspace`: all of a workspace; `request`: nobody. */
export type UnitKind = 'session' | 'workspace' | 'request';

/** Which requests take part. */
export interface ExperimentMatch {
  /** Names, or prefixes that end in *; null: all. */
  readonly workspaces: readonly string[] | null;
  readonly providers: ReadonlySet<string> | null;
}

interface Experiment {
  readonly name: string;
  readonly match: ExperimentMatch;
  /** The treatment's share of the requests that match, 0 to 1. */
  readonly share: number;
  readonly by: UnitKind;
  /** Differs when the experiment is about something else. */
  readonly id: string;
}

/** A share of the requests is answered by another model, or decided by other settings. */
export interface AbExperiment extends Experiment {
  readonly kind: 'ab';
  /** `requested`: the app's own model; a map: a model by provider of the traffic; null: other settings. */
  readonly target: 'requested' | ReadonlyMap<string, TargetRef> | null;
  /** The section with the other settings; null where they change nothing for it. */
  readonly section: ((workspace: string, provider: string) => PolicySection) | null;
  /** Ends by itself when the treatment is shown to do harm. */
  readonly stopOnHarm: boolean;
}

/** A share of the requests is sent to another model too, whose answers are graded and thrown away. */
export interface ShadowExperiment extends Experiment {
  readonly kind: 'shadow';
  /** By provider of the traffic. */
  readonly targets: ReadonlyMap<string, TargetRef>;
  readonly maxUsdPerDay: number;
}

export type PolicyExperiment = AbExperiment | ShadowExperiment;

/** How a policy takes the place of the one before it. */
export interface RolloutPolicy {
  /** Shares of the requests, ascending, each strictly between 0 and 1. After the last: all. */
  readonly stages: readonly number[];
  readonly by: UnitKind;
  /** Answers of the new policy that a stage takes at least. */
  readonly requests: number;
  /** Time that a stage takes at least, ms. */
  readonly stageMs: number;
  /** How long the old policy is kept ready, ms. */
  readonly keepMs: number;
  /** What the tests may raise in false alarms, all together. */
  readonly falseAlarm: number;
  readonly horizon: number;
  readonly tolerance: Tolerance;
}

/** What is no harm yet. Scores: the difference of the means; amounts: relative. */
export interface Tolerance {
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

/** How long a policy is kept ready after another has taken its place, unless that one says otherwise: two weeks, in ms. */
export const defaultKeepMs = 14 * 24 * 3_600_000;
