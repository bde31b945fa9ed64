import { availableParallelism } from 'node:os';
import { cpuOf, load } from '../processes.ts';
import { addedRatio, addedRatioOfMedians, show, spread, type Goal, type Spread } from '../report.ts';
import { hasGo, Stage, type Variant } from '../stage.ts';
import { inTurns, type Part, type RunOptions } from './types.ts';

interface Scenario {
  readonly title: string;
  readonly bodyBytes: number;
  /** Requests a second. */
  readonly rate: number;
}

const kb = 1_024;
/** The load, the provider, Envoy and the processor share two cores: more than this is beyond the no-op, too. */
const most = availableParallelism() > 2 ? 2_000 : 1_000;
const scenarios: readonly Scenario[] = [
  { title: '1 KB, 500/s', bodyBytes: kb, rate: 500 },
  { title: `1 KB, ${most.toLocaleString('en-US')}/s`, bodyBytes: kb, rate: most },
  { title: '32 KB, 300/s', bodyBytes: 32 * kb, rate: 300 },
  { title: '256 KB, 60/s', bodyBytes: 256 * kb, rate: 60 },
  { title: '1 MB, 20/s', bodyBytes: 1_024 * kb, rate: 20 },
];

/** One variant in one round of one scenario. */
interface Sample {
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of CPU a request. */
  readonly processorCpu: number;
  readonly envoyCpu: number;
  readonly failed: number;
}

/** Before small requests are measured, in seconds: V8 has compiled what they run after some 4,000 of them. */
const warmSeconds = 8;

type Samples = ReadonlyMap<Variant, readonly Sample[]>;

const pick = (samples: Samples, variant: Variant, key: keyof Sample): number[] => (samples.get(variant) ?? []).map((sample) => sample[key]);
const ratios = (over: readonly number[], under: readonly number[]): Spread => spread(over.map((value, round) => value / under[round]!));

/** The non-default modes of receiving responses. */
const otherWays = ['sluice, observe', 'sluice, protocol-manager'] as const satisfies readonly Variant[];

/** JSON requests at fixed rates through an Envoy of each kind, in turns. */
export const traffic: Part = {
  id: 'traffic',
  titles: scenarios.map(({ title }) => title),
  async run(options) {
    const variants: readonly Variant[] = hasGo()
      ? ['none', 'noop', 'noop+copy', 'parse', 'sluice']
      : ['none', 'noop', 'noop+copy', 'sluice'];
    const stage = await Stage.open([...variants, ...otherWays]);
    try {
      const rows: string[][] = [];
      const ways: string[][] = [];
      const goals: Goal[] = [];
      for (const scenario of scenarios.filter(({ title }) => title.includes(options.only))) {
        const small = scenario.bodyBytes === kb;
        const samples = await measure(stage, small ? [...variants, ...otherWays] : variants, scenario, options);
        rows.push(row(scenario.title, samples));
        if (small) ways.push(...wayRows(scenario.title, samples));
        goals.push(...goalsOf(scenario, samples));
        options.progress(scenario.title);
      }
      return { tables: [{ header, rows }, ...(ways.length === 0 ? [] : [{ header: wayHeader, rows: ways }])], goals };
    } finally {
      stage.close();
    }
  },
};

async function measure(stage: Stage, variants: readonly Variant[], scenario: Scenario, options: RunOptions): Promise<Samples> {
  const { rounds, seconds, quick } = options;
  const warm = quick ? 1 : scenario.bodyBytes === kb ? warmSeconds : Math.min(2, seconds);
  const samples = new Map<Variant, Sample[]>(variants.map((variant) => [variant, []]));
  for (let round = -1; round < rounds; round++) {
    for (const variant of inTurns(variants, round)) {
      const { url, envoyPid, processorPid } = stage.place(variant);
      const before = { envoy: cpuOf(envoyPid), processor: processorPid === null ? 0 : cpuOf(processorPid) };
      const result = await load({
        url,
        rate: scenario.rate,
        seconds: round === -1 ? warm : seconds,
        bodyBytes: scenario.bodyBytes,
        sse: false,
      });
      // The first round warms up.
      if (round === -1) continue;
      samples
        .get(variant)!
        .push({
          p50: result.p50,
          p99: result.p99,
          failed: result.failed,
          envoyCpu: (cpuOf(envoyPid) - before.envoy) / result.sent,
          processorCpu: processorPid === null ? 0 : (cpuOf(processorPid) - before.processor) / result.sent,
        });
    }
  }
  return samples;
}

const header = [
  'JSON',
  'Envoy alone p50 ms',
  'no-op adds',
  'Sluice adds',
  'added p50, × no-op',
  '× no-op with copies',
  'added p99, × no-op',
  'CPU µs a request: no-op',
  'parsing Go',
  'Sluice',
  'Envoy alone',
  'Envoy with Sluice',
  'failed',
];

function row(title: string, samples: Samples): string[] {
  const of = (variant: Variant, key: keyof Sample): number[] => pick(samples, variant, key);
  const added = (variant: Variant): Spread => spread(of(variant, 'p50').map((value, round) => value - of('none', 'p50')[round]!));
  const cpu = (variant: Variant): string => (samples.has(variant) ? show(spread(of(variant, 'processorCpu')), 0) : '–');
  return [
    title,
    show(spread(of('none', 'p50'))),
    show(added('noop')),
    show(added('sluice')),
    show(addedRatio(of('none', 'p50'), of('noop', 'p50'), of('sluice', 'p50'))),
    show(addedRatio(of('none', 'p50'), of('noop+copy', 'p50'), of('sluice', 'p50'))),
    show(addedRatioOfMedians(of('none', 'p99'), of('noop', 'p99'), of('sluice', 'p99'))),
    cpu('noop'),
    cpu('parse'),
    cpu('sluice'),
    show(spread(of('none', 'envoyCpu')), 0),
    show(spread(of('sluice', 'envoyCpu')), 0),
    String([...samples.values()].flat().reduce((sum, { failed }) => sum + failed, 0)),
  ];
}

const wayHeader = ['JSON', 'Sluice learns of answers by', 'adds to p50, ms', 'added p50, × no-op', 'CPU µs a request: Sluice', 'Envoy'];
const wayNames = {
  sluice: '`collect`, the default',
  'sluice, observe': '`observe`',
  'sluice, protocol-manager': '`protocol-manager`',
} as const;

function wayRows(title: string, samples: Samples): string[][] {
  return (['sluice', ...otherWays] as const).map((way) => {
    const of = (variant: Variant, key: keyof Sample): number[] => pick(samples, variant, key);
    const added = spread(of(way, 'p50').map((value, round) => value - of('none', 'p50')[round]!));
    return [
      title,
      wayNames[way],
      show(added),
      show(addedRatio(of('none', 'p50'), of('noop', 'p50'), of(way, 'p50'))),
      show(spread(of(way, 'processorCpu')), 0),
      show(spread(of(way, 'envoyCpu')), 0),
    ];
  });
}

function goalsOf({ title, bodyBytes, rate }: Scenario, samples: Samples): Goal[] {
  const of = (variant: Variant, key: keyof Sample): number[] => pick(samples, variant, key);
  const p50 = (limit: number): Goal => ({
    what: `${title}: added p50 to the no-op's`,
    measured: addedRatio(of('none', 'p50'), of('noop', 'p50'), of('sluice', 'p50')),
    digits: 2,
    unit: '×',
    bound: 'at most',
    limit,
  });
  if (bodyBytes === 256 * kb) return [p50(1.25)];
  if (bodyBytes !== kb) return [];
  const p99: Goal = {
    what: `${title}: added p99 to the no-op's`,
    measured: addedRatioOfMedians(of('none', 'p99'), of('noop', 'p99'), of('sluice', 'p99')),
    digits: 2,
    unit: '×',
    bound: 'at most',
    limit: 1.3,
  };
  if (rate !== most) return [p50(1.15), p99];
  const cpu = (what: string, than: Variant, limit: number): Goal => ({
    what: `${title}: CPU to ${what}`,
    measured: ratios(of('sluice', 'processorCpu'), of(than, 'processorCpu')),
    digits: 2,
    unit: '×',
    bound: 'at most',
    limit,
  });
  return [p50(1.15), p99, cpu("the no-op's", 'noop', 1.3), ...(samples.has('parse') ? [cpu("a parsing Go processor's", 'parse', 1)] : [])];
}
