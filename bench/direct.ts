import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join, resolve as absolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Driver, ExchangePlan } from './direct/driver.ts';
import { chatBody, quantile } from './load.ts';
import { cpuOf, memoryOf, threadCpuOf } from './processes.ts';

/**
 * Sluice driven directly over its Unix socket, without an Envoy: what an exchange (headers, body, copies of the answer, record, ledger,
 * metrics, log) costs its process. `--against FOLDER` drives another checkout in turns with this one. Usage: npm run bench -- direct
 */
const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    against: { type: 'string', default: '' },
    /** More flags for Node in Sluice's process, as one string. */
    node: { type: 'string', default: '' },
  },
});

const kilobyte = 1_024;
const scenarios = [
  { title: '1 KB', bodyBytes: kilobyte, side: 32 },
  { title: '16 KB', bodyBytes: 16 * kilobyte, side: 32 },
  { title: '256 KB', bodyBytes: 256 * kilobyte, side: 8 },
  { title: '1 MB', bodyBytes: kilobyte * kilobyte, side: 4 },
  { title: '5 MB', bodyBytes: 5 * kilobyte * kilobyte, side: 2 },
] as const;

const folder = mkdtempSync(join(tmpdir(), 'sluice-direct-'));
const children: ChildProcess[] = [];

interface Served {
  readonly pid: number;
  readonly client: Driver;
}

/** Starts the Sluice of a checkout with everything on: ledger, log, metrics. */
async function serve(root: string, name: string): Promise<Served> {
  const own = join(folder, name);
  const policy = join(own, 'policy');
  mkdirSync(policy, { recursive: true });
  writeFileSync(join(policy, 'policy.yaml'), readFileSync(join(root, 'src/policy/default-policy.yaml')));
  const socket = join(own, 'sluice.sock');
  const command =
    flags.node === '' ? [join(root, 'bin/sluice')] : [process.execPath, ...flags.node.split(' '), join(root, 'src/cli/index.ts')];
  const child = spawn(
    command[0]!,
    [
      ...command.slice(1),
      'serve',
      '--policy',
      policy,
      '--listen',
      `unix:${socket}`,
      '--admin',
      '127.0.0.1:0',
      '--log',
      join(own, 'sluice.log'),
      '--ledger',
      join(own, 'ledger.db'),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'], cwd: flags.node === '' ? root : process.cwd() },
  );
  children.push(child);
  for (let tries = 0; tries < 200 && !existsSync(socket); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  return { pid: child.pid!, client: await Driver.connect(socket) };
}

interface Sample {
  readonly rate: number;
  readonly cpu: number;
  readonly mainCpu: number;
  readonly p50: number;
  readonly p99: number;
  readonly memory: number;
  readonly undecided: number;
}

/** `side` exchanges side by side for `ms`. */
async function drive({ pid, client }: Served, plan: ExchangePlan, side: number, ms: number): Promise<Sample> {
  const times: number[] = [];
  let undecided = 0;
  const cpu = cpuOf(pid);
  const mainCpu = threadCpuOf(pid, pid);
  const began = performance.now();
  await Promise.all(
    Array.from({ length: side }, async () => {
      while (performance.now() - began < ms) {
        const { ms: took, decided } = await client.exchange(plan);
        times.push(took);
        if (!decided) undecided++;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  // The ledger's thread is a little behind.
  await new Promise((resolve) => setTimeout(resolve, 400));
  times.sort((a, b) => a - b);
  return {
    rate: times.length / seconds,
    cpu: (cpuOf(pid) - cpu) / times.length,
    mainCpu: (threadCpuOf(pid, pid) - mainCpu) / times.length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    memory: memoryOf(pid) / kilobyte,
    undecided,
  };
}

function spread(values: readonly number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return `${quantile(sorted, 0.5).toFixed(digits)} (${sorted[0]!.toFixed(digits)}–${sorted.at(-1)!.toFixed(digits)})`;
}

async function main(): Promise<void> {
  const here = fileURLToPath(new URL('..', import.meta.url));
  const served = new Map<string, Served>([['this', await serve(here, 'this')]]);
  if (flags.against !== '') served.set('the other', await serve(absolute(flags.against), 'other'));
  const lines: string[] = [];
  for (const scenario of scenarios.filter(({ title }) => flags.only === '' || flags.only.split(',').includes(title))) {
    const plan = new ExchangePlan(chatBody(scenario.bodyBytes, false));
    const samples = new Map<string, Sample[]>([...served.keys()].map((name) => [name, []]));
    for (let round = -1; round < Number(flags.rounds); round++) {
      const order = [...served.entries()];
      if (round % 2 === 0) order.reverse();
      for (const [name, one] of order) {
        const sample = await drive(one, plan, scenario.side, Number(flags.seconds) * 1_000);
        if (round >= 0) samples.get(name)!.push(sample);
      }
    }
    for (const [name, taken] of samples) {
      const of = (pick: (sample: Sample) => number, digits: number): string => spread(taken.map(pick), digits);
      lines.push(
        `| ${scenario.title}${served.size === 1 ? '' : `, ${name}`} | ${of(({ rate }) => rate, 0)} | ${of(({ mainCpu }) => mainCpu, 1)} | ${of(({ cpu }) => cpu, 1)} | ${of(({ mainCpu }) => 1e6 / mainCpu, 0)} | ${of(({ p50 }) => p50, 2)} | ${of(({ p99 }) => p99, 2)} | ${of(({ memory }) => memory, 0)} | ${taken.reduce((sum, { undecided }) => sum + undecided, 0)} |`,
      );
    }
    process.stderr.write(`· ${scenario.title} done\n`);
  }
  process.stdout.write(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Linux ${release()}, Node ${process.version}; ${flags.rounds} rounds of ${flags.seconds} s, median (lowest–highest)\n\n` +
      `| body | requests/s | main thread CPU µs a request | process CPU µs a request | requests a core-second of the main thread | p50 ms | p99 ms | MB | undecided |\n|---|---|---|---|---|---|---|---|---|\n${lines.join('\n')}\n`,
  );
}

try {
  if (!existsSync('/proc/self/stat')) throw new Error('the bench reads /proc and runs on Linux only');
  await main();
} finally {
  // SIGTERM, so that a profile that was asked for is written.
  for (const child of children) child.kill('SIGTERM');
  for (const child of children) if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
