import { readFileSync } from 'node:fs';
import { defaultPolicyFile } from '../../src/policy/source.ts';
import { numberedBody } from '../bodies.ts';
import { Driver, ExchangePlan } from '../direct/driver.ts';
import { ProbedSluice } from '../direct/sluice.ts';
import { show, spread, type Goal, type Spread } from '../report.ts';
import { inTurns, type Part, type RunOptions } from './types.ts';

const everything = readFileSync(new URL('../direct/everything.yaml', import.meta.url), 'utf8');
const policies = [
  { name: 'default policy', text: readFileSync(defaultPolicyFile, 'utf8') },
  { name: 'everything on', text: everything },
] as const;
const sizes = [
  { title: 'direct, 1 KB', bytes: 1_024, goal: 15_000, concurrency: 64 },
  { title: 'direct, 256 KB', bytes: 256 * 1_024, goal: 1_500, concurrency: 16 },
] as const;

/** How many requests a second of CPU carries when Sluice is driven as fast as it answers, its log, ledger and metrics on. */
export const direct: Part = {
  id: 'direct',
  titles: sizes.map(({ title }) => title),
  async run(options) {
    const rows: string[][] = [];
    const goals: Goal[] = [];
    const sluices = await Promise.all(
      policies.map(async (policy) => ({ ...policy, sluice: await ProbedSluice.start({ policy: policy.text }) })),
    );
    try {
      for (const size of sizes.filter(({ title }) => title.includes(options.only))) {
        const found = await measure(sluices, size, options);
        for (const { name } of policies) {
          const { perCore, perMain, perSecond } = found.get(name)!;
          rows.push([size.title, name, show(perCore, 0), show(perMain, 0), show(perSecond, 0)]);
          goals.push({
            what: `${size.title}, ${name}: requests a second of CPU`,
            measured: perCore,
            digits: 0,
            unit: '',
            bound: 'at least',
            limit: size.goal,
          });
        }
        options.progress(size.title);
      }
      return {
        tables: [{ header: ['driven directly', '', 'requests a second of CPU', 'of the main thread alone', 'requests a second'], rows }],
        goals,
      };
    } finally {
      for (const { sluice } of sluices) await sluice.stop();
    }
  },
};

interface Found {
  readonly perCore: Spread;
  /** The ledger writes on a thread of its own, and V8 collects garbage on others. */
  readonly perMain: Spread;
  readonly perSecond: Spread;
}

async function measure(
  sluices: readonly { readonly name: string; readonly sluice: ProbedSluice }[],
  { bytes, concurrency }: (typeof sizes)[number],
  { rounds, seconds }: RunOptions,
): Promise<Map<string, Found>> {
  const plan = new ExchangePlan(numberedBody(bytes));
  const samples = new Map(
    sluices.map(({ name }) => [name, { perCore: [] as number[], perMain: [] as number[], perSecond: [] as number[] }]),
  );
  const drivers = new Map<ProbedSluice, Driver>();
  for (const { sluice } of sluices) drivers.set(sluice, await Driver.connect(sluice.socket));
  for (let round = -1; round < rounds; round++) {
    for (const { name, sluice } of inTurns(sluices, round)) {
      const driver = drivers.get(sluice)!;
      const until = performance.now() + (round === -1 ? 2 : 1) * seconds * 1_000;
      const began = performance.now();
      const before = await sluice.usage();
      let count = 0;
      while (performance.now() < until) {
        const results = await driver.run(plan, concurrency * 16, concurrency);
        count += results.length;
        const undecided = results.filter(({ decided }) => !decided).length;
        if (undecided > 0) throw new Error(`${undecided} requests passed undecided`);
      }
      const took = (performance.now() - began) / 1_000;
      const after = await sluice.usage();
      if (round === -1) continue;
      samples.get(name)!.perCore.push((count / (after.cpu - before.cpu)) * 1e6);
      samples.get(name)!.perMain.push((count / (after.main - before.main)) * 1e6);
      samples.get(name)!.perSecond.push(count / took);
    }
  }
  for (const driver of drivers.values()) driver.close();
  return new Map(
    [...samples].map(([name, { perCore, perMain, perSecond }]) => [
      name,
      { perCore: spread(perCore), perMain: spread(perMain), perSecond: spread(perSecond) },
    ]),
  );
}
