/** One variant in one round of one scenario. */
export interface Sample {
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of CPU a request. */
  readonly processorCpu: number;
  readonly envoyCpu: number;
  /** Resident megabytes of the processor at the end. */
  readonly memory: number;
  readonly failed: number;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median and range. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** Ratio of what two variants add to a baseline, round by round: rounds share their weather, so their ratios are steadier. */
export function addedRatio(base: readonly number[], floor: readonly number[], ours: readonly number[]): Spread {
  return spread(ours.map((value, round) => (value - base[round]!) / (floor[round]! - base[round]!)));
}

export function show({ median, min, max }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

export type Samples = Readonly<Record<string, readonly Sample[]>>;

/** A Markdown table row for a scenario: `none` and `noop` are the baselines. */
export function row(title: string, samples: Samples): string {
  const pick = (variant: string, key: keyof Sample): number[] => samples[variant]!.map((sample) => sample[key]);
  const added = (variant: string, key: 'p50' | 'p99'): Spread => spread(pick(variant, key).map((value, round) => value - pick('none', key)[round]!));
  const ratio = (floor: string, key: 'p50' | 'p99'): string => show(addedRatio(pick('none', key), pick(floor, key), pick('sluice', key)));
  const failed = Object.values(samples).flat().reduce((sum, sample) => sum + sample.failed, 0);
  return [
    title,
    show(spread(pick('none', 'p50'))),
    show(added('noop', 'p50')),
    show(added('sluice', 'p50')),
    ratio('noop', 'p50'),
    ratio('noop+copy', 'p50'),
    ratio('noop', 'p99'),
    show(spread(pick('noop', 'processorCpu')), 0),
    show(spread(pick('sluice', 'processorCpu')), 0),
    show(spread(pick('none', 'envoyCpu')), 0),
    show(spread(pick('sluice', 'envoyCpu')), 0),
    spread(pick('sluice', 'memory')).median.toFixed(0),
    String(failed),
  ].join(' | ');
}

export const header = [
  '| scenario | Envoy alone p50 ms | no-op adds | Sluice adds | p50 ratio to no-op | p50 ratio to no-op with copies | p99 ratio to no-op | CPU µs/request no-op | CPU µs/request Sluice | Envoy CPU alone | Envoy CPU with Sluice | Sluice MB | failed |',
  '|---|---|---|---|---|---|---|---|---|---|---|---|---|',
].join('\n');
