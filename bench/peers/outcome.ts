import { addedRatio, show, spread, type Goal, type Outcome, type Spread, type Table } from '../report.ts';

export type Who = 'Envoy alone' | 'no-op' | 'Sluice' | 'Portkey' | 'LiteLLM';

export interface RateSample {
  readonly p50: number;
  readonly p99: number;
  /** CPU of what stands beside or behind Envoy, µs a request. */
  readonly cpu: number;
  readonly failed: number;
}

export interface LoopSample {
  readonly perSecond: number;
  readonly cpu: number;
  readonly envoyCpu: number;
  readonly memory: number;
  readonly failed: number;
}

/**
 * Envoy AI Gateway's processor, measured once behind the same kind of Envoy and provider, beside the Go no-op of that run (docs/peers.md).
 */
const aiGateway = { addedP50: 2.13, cpu: 788, perSecond: 1_840 } as const;
const noopThen = { addedP50: 0.54, cpu: 314, perSecond: 4_280 } as const;

const base: Who = 'Envoy alone';

/** Tables and goals from what was measured: added latency at each rate, and what a request costs when as much is sent as is answered. */
export function peersOutcome(
  atRate: ReadonlyMap<number, ReadonlyMap<Who, readonly RateSample[]>>,
  loops: ReadonlyMap<Who, readonly LoopSample[]>,
  idle: ReadonlyMap<Who, number>,
): Outcome {
  const latency: Table = {
    header: [
      'ms added to Envoy alone',
      ...[...atRate.keys()].flatMap((rate) => [`p50 at ${rate}/s`, `p99 at ${rate}/s`, 'CPU µs a request']),
      'failed',
    ],
    rows: [...idle.keys()]
      .filter((who) => who !== base)
      .map((who) => [
        who,
        ...[...atRate.values()].flatMap((samples) => [
          addedText(samples, who, 'p50'),
          addedText(samples, who, 'p99'),
          cpuText(samples, who),
        ]),
        String(failedOf(atRate, loops, who)),
      ]),
  };
  const cost: Table = {
    header: [
      '16 at a time, as fast as they are answered',
      'requests a second through one Envoy worker',
      'its CPU µs a request',
      "Envoy's CPU µs a request",
      'requests a core-second, Envoy included',
      'MB before',
      'MB after',
    ],
    rows: [...loops].map(([who, samples]) => {
      const of = (key: keyof LoopSample): Spread => spread(samples.map((sample) => sample[key]));
      const perCore = spread(samples.map(({ cpu, envoyCpu }) => 1e6 / (cpu + envoyCpu)));
      const alone = who === base;
      return [
        who,
        show(of('perSecond'), 0),
        alone ? '' : show(of('cpu'), 0),
        show(of('envoyCpu'), 0),
        show(perCore, 0),
        alone ? '' : idle.get(who)!.toFixed(0),
        alone ? '' : show(of('memory'), 0),
      ];
    }),
  };
  return { tables: [latency, cost], goals: goalsOf(atRate, loops) };
}

function added(samples: ReadonlyMap<Who, readonly RateSample[]>, who: Who, key: 'p50' | 'p99'): number[] {
  return (samples.get(who) ?? []).map((sample, round) => sample[key] - samples.get(base)![round]![key]);
}

function addedText(samples: ReadonlyMap<Who, readonly RateSample[]>, who: Who, key: 'p50' | 'p99'): string {
  return samples.has(who) ? show(spread(added(samples, who, key))) : '–';
}

function cpuText(samples: ReadonlyMap<Who, readonly RateSample[]>, who: Who): string {
  const found = samples.get(who);
  return found === undefined ? '–' : show(spread(found.map(({ cpu }) => cpu)), 0);
}

function failedOf(
  atRate: ReadonlyMap<number, ReadonlyMap<Who, readonly RateSample[]>>,
  loops: ReadonlyMap<Who, readonly LoopSample[]>,
  who: Who,
): number {
  return [...[...atRate.values()].flatMap((samples) => samples.get(who) ?? []), ...(loops.get(who) ?? [])].reduce(
    (sum, { failed }) => sum + failed,
    0,
  );
}

const scaled = ({ median, min, max }: Spread, by: number): Spread => ({ median: median * by, min: min * by, max: max * by });

/** Against Envoy AI Gateway, both by their ratio to the no-op of their own run. */
function goalsOf(
  atRate: ReadonlyMap<number, ReadonlyMap<Who, readonly RateSample[]>>,
  loops: ReadonlyMap<Who, readonly LoopSample[]>,
): Goal[] {
  const rates = atRate.get(500)!;
  const ratios = (ours: readonly number[], noop: readonly number[], theirs: number): Spread =>
    spread(ours.map((value, round) => value / noop[round]! / theirs));
  const p50 = (who: Who): number[] => (rates.get(who) ?? []).map((sample) => sample.p50);
  const cpu = (who: Who): number[] => (rates.get(who) ?? []).map((sample) => sample.cpu);
  const perSecond = (who: Who): number[] => (loops.get(who) ?? []).map((sample) => sample.perSecond);
  const goal = (what: string, measured: Spread, bound: Goal['bound'], limit: number): Goal => ({
    what: `${what}, of Envoy AI Gateway's`,
    measured,
    digits: 2,
    unit: '×',
    bound,
    limit,
  });
  return [
    goal(
      'added p50 at 500/s',
      scaled(addedRatio(p50(base), p50('no-op'), p50('Sluice')), noopThen.addedP50 / aiGateway.addedP50),
      'at most',
      0.5,
    ),
    goal('CPU a request at 500/s', ratios(cpu('Sluice'), cpu('no-op'), aiGateway.cpu / noopThen.cpu), 'at most', 0.5),
    goal(
      'closed-loop requests a second',
      ratios(perSecond('Sluice'), perSecond('no-op'), aiGateway.perSecond / noopThen.perSecond),
      'at least',
      1.6,
    ),
  ];
}
