import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { numberedBody } from './bodies.ts';
import { Driver, ExchangePlan } from './direct/driver.ts';
import { cpuOf, machine, root } from './processes.ts';
import { show, spread } from './report.ts';

/**
 * What a request costs each transport (own frames, Node's `http2`, grpc-js) when nothing is decided: CPU of the server's process. In turns,
 * over a Unix socket. Usage: npm run bench -- transports [--rounds 5] [--seconds 3]
 */
const { values: flags } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' } } });
const names = ['frames', 'http2', 'grpc'] as const;
const sizes = [
  { title: '1 KB', bytes: 1_024, side: 32 },
  { title: '64 KB', bytes: 64 * 1_024, side: 8 },
] as const;

const folder = mkdtempSync(join(tmpdir(), 'sluice-transports-'));
const children: ChildProcess[] = [];

interface Served {
  readonly name: string;
  readonly pid: number;
  readonly driver: Driver;
}

async function serve(name: string): Promise<Served> {
  const socket = join(folder, `${name}.sock`);
  const child = spawn(process.execPath, [join(root, 'bench/transports/server.ts'), name, socket], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.push(child);
  for (let tries = 0; tries < 400 && !existsSync(socket); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  return { name, pid: child.pid!, driver: await Driver.connect(socket) };
}

/** CPU of a request, in µs. */
async function measure({ name, pid, driver }: Served, plan: ExchangePlan, side: number, ms: number): Promise<number> {
  const until = performance.now() + ms;
  const before = cpuOf(pid);
  let count = 0;
  while (performance.now() < until) {
    const results = await driver.run(plan, side * 16, side);
    if (results.some(({ decided }) => !decided)) throw new Error(`${name}: a reply without its metadata`);
    count += results.length;
  }
  return (cpuOf(pid) - before) / count;
}

try {
  const served = await Promise.all(names.map(serve));
  const lines: string[] = [];
  for (const { title, bytes, side } of sizes) {
    const plan = new ExchangePlan(numberedBody(bytes));
    const samples = new Map<string, number[]>(names.map((name) => [name, []]));
    for (let round = -1; round < Number(flags.rounds); round++) {
      for (const one of round % 2 === 0 ? [...served].reverse() : served) {
        const cpu = await measure(one, plan, side, Number(flags.seconds) * 1_000);
        // The first round warms up.
        if (round >= 0) samples.get(one.name)!.push(cpu);
      }
    }
    const base = spread(samples.get('frames')!).median;
    for (const name of names) {
      const cpu = spread(samples.get(name)!);
      lines.push(`| ${title} | ${name} | ${show(cpu, 1)} | ${(cpu.median / base).toFixed(1)} |`);
    }
    process.stderr.write(`· ${title} done\n`);
  }
  process.stdout.write(
    `${machine()}; ${flags.rounds} rounds of ${flags.seconds} s, median (lowest–highest)\n\n` +
      `| body | transport | CPU µs a request | against frames |\n|---|---|---|---|\n${lines.join('\n')}\n`,
  );
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
