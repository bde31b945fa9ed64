/** One metric, as documented for operators. docs/metrics.md is generated from all of them. */
export interface MetricSpec {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  readonly buckets?: readonly number[];
}

/** By the name that the code has for them. */
export type MetricSpecs = Readonly<Record<string, MetricSpec>>;
