import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { numberedBody } from '../bodies.ts';
import { Driver, ExchangePlan } from '../direct/driver.ts';
import { ProbedSluice } from '../direct/sluice.ts';
import { allocations } from '../guard/measure.ts';
import { inTurns, type RunOptions } from '../parts/types.ts';
import { cpuOf, load } from '../processes.ts';
import { addedRatio, show, spread, type Spread, type Table } from '../report.ts';
import { Stage } from '../stage.ts';

const sides = ['before', 'after'] as const;
type Side = (typeof sides)[number];
type Samples = Record<Side, number[]>;

const kb = 1_024;
const driven = [
  { title: 'direct, 1 KB', bytes: kb, concurrency: 64 },
  { title: 'direct, 32 KB', bytes: 32 * kb, concurrency: 32 },
  { title: 'direct, 256 KB', bytes: 256 * kb, concurrency: 16 },
] as const;
const throughEnvoy = [
  { title: 'Envoy, 1 KB, 500/s', bodyBytes: kb, rate: 500 },
  { title: 'Envoy, 1 KB, 2,000/s', bodyBytes: kb, rate: 2_000 },
  { title: 'Envoy, 256 KB, 60/s', bodyBytes: 256 * kb, rate: 60 },
] as const;
const allocated = 'allocated';

/** Everything that is compared, by checkouts that take turns. */
export async function betweenCheckouts(before: string, after: string, options: Omit<RunOptions, 'quick'>): Promise<Table> {
  const rows: string[][] = [];
  const wants = (title: string): boolean => title.includes(options.only);
  const at = { before, after };
  if (driven.some(({ title }) => wants(title))) rows.push(...(await directly(at, options)));
  if (wants(allocated)) rows.push(...(await allocation(at, options)));
  if (throughEnvoy.some(({ title }) => wants(title))) rows.push(...(await withEnvoy(at, options)));
  if (rows.length === 0)
    throw new Error(
      `--only: nothing holds "${options.only}"; there are ${[...driven, ...throughEnvoy].map(({ title }) => title).join('; ')}; ${allocated}`,
    );
  return { header: ['', 'before', 'after', 'after ÷ before'], rows };
}

const ratio = ({ before, after }: Samples): Spread => spread(after.map((value, round) => value / before[round]!));
const row = (what: string, samples: Samples, digits: number): string[] => [
  what,
  show(spread(samples.before), digits),
  show(spread(samples.after), digits),
  show(ratio(samples)),
];
const none = (): Samples => ({ before: [], after: [] });

async function directly(at: Record<Side, string>, { rounds, seconds, only, progress }: Omit<RunOptions, 'quick'>): Promise<string[][]> {
  const rows: string[][] = [];
  const started: Partial<Record<Side, ProbedSluice>> = {};
  try {
    for (const side of sides) started[side] = await ProbedSluice.start({ policy: policyOf(at[side]), checkout: at[side] });
    const { before, after } = started as Record<Side, ProbedSluice>;
    const drivers = { before: await Driver.connect(before.socket), after: await Driver.connect(after.socket) };
    for (const { title, bytes, concurrency } of driven.filter(({ title }) => title.includes(only))) {
      const plan = new ExchangePlan(numberedBody(bytes));
      const main = none();
      const all = none();
      for (let round = -1; round < rounds; round++) {
        for (const side of inTurns(sides, round)) {
          const sluice = side === 'before' ? before : after;
          const from = await sluice.usage();
          const until = performance.now() + seconds * 1_000;
          let count = 0;
          while (performance.now() < until) count += (await drivers[side].run(plan, concurrency * 16, concurrency)).length;
          const to = await sluice.usage();
          if (round === -1) continue;
          main[side].push((to.main - from.main) / count);
          all[side].push((to.cpu - from.cpu) / count);
        }
      }
      rows.push(row(`${title}: CPU of the main thread, µs a request`, main, 1), row(`${title}: CPU of the process, µs a request`, all, 1));
      progress(title);
    }
    for (const driver of Object.values(drivers)) driver.close();
    return rows;
  } finally {
    for (const sluice of Object.values(started)) await sluice.stop();
  }
}

async function allocation(at: Record<Side, string>, { rounds, progress }: Omit<RunOptions, 'quick'>): Promise<string[][]> {
  const found = new Map<string, Samples>();
  for (let round = 0; round < Math.min(2, rounds); round++) {
    for (const side of inTurns(sides, round)) {
      for (const [name, value] of Object.entries(await allocations(at[side], policyOf(at[side])))) {
        const samples = found.get(name) ?? none();
        samples[side].push(value);
        found.set(name, samples);
      }
    }
  }
  progress(allocated);
  return [...found].map(([name, samples]) => row(`${allocated} ${name}`, samples, 0));
}

async function withEnvoy(at: Record<Side, string>, { rounds, seconds, only, progress }: Omit<RunOptions, 'quick'>): Promise<string[][]> {
  const rows: string[][] = [];
  const variants = ['none', 'before', 'sluice'] as const;
  const stage = await Stage.open(variants, { checkouts: { before: at.before, sluice: at.after } });
  try {
    for (const { title, bodyBytes, rate } of throughEnvoy.filter(({ title }) => title.includes(only))) {
      const p50 = { none: [] as number[], before: [] as number[], sluice: [] as number[] };
      const cpu = none();
      for (let round = -1; round < rounds; round++) {
        for (const variant of inTurns(variants, round)) {
          const { url, processorPid } = stage.place(variant);
          const from = processorPid === null ? 0 : cpuOf(processorPid);
          const result = await load({ url, rate, seconds, bodyBytes, sse: false });
          if (round === -1) continue;
          p50[variant].push(result.p50);
          if (processorPid !== null) cpu[variant === 'before' ? 'before' : 'after'].push((cpuOf(processorPid) - from) / result.sent);
        }
      }
      const added = (of: readonly number[]): number[] => of.map((value, round) => value - p50.none[round]!);
      rows.push(
        [
          `${title}: added p50, ms`,
          show(spread(added(p50.before))),
          show(spread(added(p50.sluice))),
          show(addedRatio(p50.none, p50.before, p50.sluice)),
        ],
        row(`${title}: CPU of the process, µs a request`, cpu, 0),
      );
      progress(title);
    }
    return rows;
  } finally {
    stage.close();
  }
}

const policyOf = (checkout: string): string => readFileSync(join(checkout, 'src/policy/default-policy.yaml'), 'utf8');
