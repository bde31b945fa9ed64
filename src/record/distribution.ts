import type { Histogram } from 'prom-client';

/** One series of a histogram. */
export interface Distribution {
  observe(value: number): void;
}

/** prom-client's internal state of a series. */
interface Series {
  sum: number;
  count: number;
  readonly bucketValues: Record<number, number>;
}

/**
 * One series of a histogram, counted directly in prom-client's internal state: prom-client itself would check the labels and join them to a
 * key at each observation. If its version stores series differently, its own method is used.
 */
export function distributionOf(histogram: Histogram, labels: Readonly<Record<string, string>>): Distribution {
  const names = Object.keys(labels);
  const bound = names.length === 0 ? { observe: (value: number) => histogram.observe(value) } : histogram.labels(labels);
  const bounds = (histogram as unknown as { readonly upperBounds?: readonly number[] }).upperBounds;
  let series: Series | undefined;
  return {
    observe(value) {
      if (series === undefined || bounds === undefined || !Number.isFinite(value)) {
        bound.observe(value);
        series = seriesOf(histogram, labels);
        return;
      }
      series.sum += value;
      series.count++;
      for (let at = 0; at < bounds.length; at++) {
        if (value > bounds[at]!) continue;
        series.bucketValues[bounds[at]!]!++;
        return;
      }
    },
  };
}

function seriesOf(histogram: Histogram, labels: Readonly<Record<string, string>>): Series | undefined {
  const { hashMap } = histogram as unknown as {
    readonly hashMap?: Readonly<Record<string, Series & { readonly labels: Readonly<Record<string, string>> }>>;
  };
  const names = Object.keys(labels);
  const found = Object.values(hashMap ?? {}).find(
    (one) => Object.keys(one.labels).length === names.length && names.every((name) => String(one.labels[name]) === labels[name]),
  );
  return found !== undefined && typeof found.sum === 'number' && typeof found.count === 'number' && typeof found.bucketValues === 'object'
    ? found
    : undefined;
}
