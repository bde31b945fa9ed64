import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { numberedBody } from '../bodies.ts';
import { Driver, ExchangePlan } from '../direct/driver.ts';
import { ProbedSluice } from '../direct/sluice.ts';
import type { Figures } from './judge.ts';

const kb = 1_024;
/**
 * Rounds of so many exchanges that no garbage collection falls into one: then what the heap grew by is what was allocated. Small requests
 * are counted once V8 has compiled what each of them runs: before that, the code that it compiles counts too, and objects that compiled code
 * does without.
 */
const sizes = [
  { title: '1 KB', bytes: kb, warm: 20_000, count: 300 },
  { title: '32 KB', bytes: 32 * kb, warm: 600, count: 100 },
  { title: '256 KB', bytes: 256 * kb, warm: 150, count: 20 },
] as const;
const rounds = 7;

/** Room for such a round, nothing that runs beside the main thread, and a collection when it is asked for. */
const quiet = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256', '--single-threaded-gc'];

const cpuRounds = 21;
const cpuWarm = 3_000;
const cpuCount = 300;
const side = 8;
/** Body of the reference workload: its parsing costs about half of what a request does. */
const referenceBytes = 32 * kb;

const quantileOf = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)]!;

/** What a request allocates and costs in a checkout's Sluice, driven over its socket. Takes about half a minute. */
export async function measure(checkout: string): Promise<Figures> {
  const text = readFileSync(join(checkout, 'src/policy/default-policy.yaml'), 'utf8');
  return { ...(await allocations(checkout, text)), ...(await cpu(checkout, text)) };
}

/** Bytes of JavaScript objects and of buffers, on the main thread. Exact to a few percent, because the JIT's output varies. */
export async function allocations(checkout: string, policy: string): Promise<Figures> {
  const sluice = await ProbedSluice.start({ policy, checkout, node: quiet });
  const figures: Record<string, number> = {};
  try {
    const driver = await Driver.connect(sluice.socket);
    for (const { title, bytes, warm, count } of sizes) {
      const plan = new ExchangePlan(numberedBody(bytes));
      // Sequentially, because coalesced reads would change the cost.
      await driver.run(plan, warm, 1);
      const heap: number[] = [];
      const external: number[] = [];
      for (let round = 0; round < 6 * rounds && heap.length < rounds; round++) {
        const before = await sluice.collected();
        const results = await driver.run(plan, count, 1);
        const after = await sluice.usage();
        // On a machine that is late, requests pass undecided: they allocate less.
        if (after.collections > 0 || !results.every(({ decided }) => decided)) continue;
        heap.push((after.heap - before.heap) / count);
        external.push((after.external - before.external) / count);
      }
      if (heap.length < rounds)
        throw new Error('garbage was collected, or requests passed undecided, in nearly every round: nothing could be counted');
      figures[`bytes of objects, ${title}`] = quantileOf(heap, 0.5);
      figures[`bytes of buffers, ${title}`] = quantileOf(external, 0.5);
    }
    driver.close();
    return figures;
  } finally {
    await sluice.stop();
  }
}

/**
 * CPU of the main thread a request, as a multiple of what a reference workload costs in the same process: a body over a socket,
 * parsed and written by V8. They take turns, and of each the cheaper rounds count, in which the machine did not interfere.
 */
async function cpu(checkout: string, policy: string): Promise<Figures> {
  const sluice = await ProbedSluice.start({ policy, checkout });
  try {
    const driver = await Driver.connect(sluice.socket);
    const plan = new ExchangePlan(numberedBody(kb));
    const body = numberedBody(referenceBytes);
    await driver.run(plan, cpuWarm, side);
    await sluice.reference(body, cpuCount);
    const ours: number[] = [];
    const reference: number[] = [];
    for (let round = 0; round < cpuRounds; round++) {
      const before = await sluice.usage();
      await driver.run(plan, cpuCount, side);
      const between = await sluice.usage();
      await sluice.reference(body, cpuCount);
      const after = await sluice.usage();
      ours.push(between.main - before.main);
      reference.push(after.main - between.main);
    }
    driver.close();
    return { 'CPU to the reference, 1 KB': quantileOf(ours, 0.25) / quantileOf(reference, 0.25) };
  } finally {
    await sluice.stop();
  }
}
