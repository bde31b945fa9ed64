import { Pairing } from '../src/experiments/pairing.ts';
import { normalQuantile } from '../src/experiments/normal.ts';
import { SequentialTest } from '../src/experiments/sequential.ts';
import { seeded } from '../src/router/training/random.ts';

/**
 * Simulates the sequential test of experiments: how often it raises a false alarm when it is looked at after every request, and how often
 * it finds a drop of 5 points. Usage: npm run bench -- sequential [--runs 2000]
 */
const at = process.argv.indexOf('--runs');
const runs = at === -1 ? 2_000 : Number(process.argv[at + 1]);

type Draw = (mean: number, random: () => number) => number;
const binary: Draw = (mean, random) => (random() < mean ? 1 : 0);
/** A judge's or a person's score: normal around the mean with a deviation of 0.25, cut to 0..1. */
const graded: Draw = (mean, random) => Math.min(1, Math.max(0, mean + 0.25 * normalQuantile(Math.min(1 - 1e-9, Math.max(1e-9, random())))));

interface Case {
  readonly what: string;
  readonly draw: Draw;
  readonly control: (request: number) => number;
  readonly drop: number;
  /** The treatment's share of the requests. */
  readonly share: number;
  readonly requests: number;
  readonly falseAlarm: number;
  readonly horizon: number;
}

interface Found {
  readonly alarms: number;
  readonly medianRequests: number | null;
}

function simulate({ draw, control, drop, share, requests, falseAlarm, horizon }: Case): Found {
  const stops: number[] = [];
  for (let run = 0; run < runs; run++) {
    const random = seeded(run * 7_919 + 17);
    const test = new SequentialTest({ falseAlarm, horizon });
    const pairing = new Pairing('score', 0, (difference) => test.observe(difference));
    pairing.share(share);
    for (let request = 1; request <= requests; request++) {
      const treated = random() < share;
      const mean = control(request);
      pairing.observe(treated ? 'treatment' : 'control', draw(treated ? mean - drop : mean, random));
      if (!test.alarm) continue;
      stops.push(request);
      break;
    }
  }
  stops.sort((a, b) => a - b);
  return { alarms: stops.length / runs, medianRequests: stops[Math.floor(stops.length / 2)] ?? null };
}

const flat = (mean: number) => (): number => mean;
/** Better and worse hours, for both arms alike. */
const tides = (request: number): number => 0.75 + 0.2 * Math.sin(request / 300);

const level = 0.05;
const nothing: readonly Case[] = [
  {
    what: 'right or wrong, 80% right',
    draw: binary,
    control: flat(0.8),
    drop: 0,
    share: 0.5,
    requests: 20_000,
    falseAlarm: level,
    horizon: 1_000,
  },
  {
    what: 'right or wrong, 50% right',
    draw: binary,
    control: flat(0.5),
    drop: 0,
    share: 0.5,
    requests: 20_000,
    falseAlarm: level,
    horizon: 1_000,
  },
  {
    what: 'right or wrong, 95% right',
    draw: binary,
    control: flat(0.95),
    drop: 0,
    share: 0.5,
    requests: 20_000,
    falseAlarm: level,
    horizon: 1_000,
  },
  {
    what: 'scores around 0.80',
    draw: graded,
    control: flat(0.8),
    drop: 0,
    share: 0.5,
    requests: 20_000,
    falseAlarm: level,
    horizon: 1_000,
  },
  {
    what: 'right or wrong, 55–95% by the hour',
    draw: binary,
    control: tides,
    drop: 0,
    share: 0.5,
    requests: 20_000,
    falseAlarm: level,
    horizon: 1_000,
  },
  {
    what: 'right or wrong, 80% right, canary of 10%',
    draw: binary,
    control: flat(0.8),
    drop: 0,
    share: 0.1,
    requests: 20_000,
    falseAlarm: level,
    horizon: 1_000,
  },
];
const dropped = nothing.slice(0, 5).map((one): Case => ({ ...one, drop: 0.05, requests: 2_000 }));
const guarded: readonly Case[] = dropped.map((one) => ({ ...one, requests: 4_000, falseAlarm: 0.6 * level, horizon: 2_000 }));

/** The share of runs in which a z test finds the drop that looks once, after all requests. */
function once({ draw, control, drop, share, requests, falseAlarm }: Case): number {
  let found = 0;
  for (let run = 0; run < runs; run++) {
    const random = seeded(run * 7_919 + 17);
    const arms = [false, true].map(() => ({ n: 0, sum: 0, squares: 0 }));
    for (let request = 1; request <= requests; request++) {
      const treated = random() < share;
      const value = draw(control(request) - (treated ? drop : 0), random);
      const arm = arms[treated ? 1 : 0]!;
      arm.n++;
      arm.sum += value;
      arm.squares += value * value;
    }
    const [a, b] = arms.map(({ n, sum, squares }) => ({ mean: sum / n, error: (squares / n - (sum / n) ** 2) / n })) as [
      { mean: number; error: number },
      { mean: number; error: number },
    ];
    if ((a.mean - b.mean) / Math.sqrt(a.error + b.error) > normalQuantile(1 - falseAlarm)) found++;
  }
  return found / runs;
}

function table(title: string, cases: readonly Case[]): string[] {
  const rows = cases.map((one) => {
    const { alarms, medianRequests } = simulate(one);
    return `| ${one.what} | ${one.requests} | ${one.horizon} | ${(100 * alarms).toFixed(1)}% | ${medianRequests === null ? '–' : medianRequests} |`;
  });
  return [
    title,
    '',
    '| quality | requests of both arms | horizon, pairs | alarms | median requests to one |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ];
}

process.stdout.write(
  [
    `${runs} runs a row, looked at after every request; half of the requests are the treatment's unless said otherwise.`,
    '',
    ...table('No difference, false alarms allowed: 5%', nothing),
    ...table('Drop of 5 points, false alarms allowed: 5%', dropped),
    `A test that may look only once, after all requests, finds the first two in ${dropped
      .slice(0, 2)
      .map((one) => `${(100 * once(one)).toFixed(0)}%`)
      .join(' and ')}.`,
    '',
    ...table("Drop of 5 points, as a rollout tests quality (3% of its 5% of false alarms), 2,000 requests of the treatment's", guarded),
  ].join('\n'),
);
