import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { allocatorSettings, nodeFlags } from '../src/lib/node-flags.ts';
import { freePorts } from '../src/demo/stack.ts';
import { root } from './processes.ts';
import { tableText } from './report.ts';

/**
 * How long `serve` takes from its start until it is ready, and what memory it holds then: from sources, and built.
 * Usage: npm run build && npm run bench -- start [--runs N] [--seconds N] (of idling before memory is read) [--against DIST], another
 * built package
 */
const { values: flags } = parseArgs({
  options: { against: { type: 'string' }, runs: { type: 'string', default: '7' }, seconds: { type: 'string', default: '8' } },
});
const programs = [
  ['from sources', join(root, 'src/cli/index.ts')],
  ['built', join(root, 'dist/sluice.cjs')],
  ...(flags.against === undefined ? [] : [['built, the other', join(flags.against, 'sluice.cjs')] as const]),
] as const;

/** Of a second, in /proc. */
const ticks = 100;

interface Run {
  readonly readyMs: number;
  /** Of all threads until then. */
  readonly cpuMs: number;
  readonly version: number;
  readonly mb: number;
  /** Of it, what is no file's: heaps and stacks. */
  readonly ownMb: number;
}

async function run(program: string): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-start-'));
  const [admin] = await freePorts(1);
  const began = performance.now();
  execFileSync(process.execPath, [program, '--version'], { stdio: 'ignore' });
  const version = performance.now() - began;
  const at = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...nodeFlags,
      program,
      'serve',
      '--listen',
      `unix:${join(folder, 's.sock')}`,
      '--admin',
      `127.0.0.1:${admin!}`,
      '--log',
      join(folder, 'log'),
      '--ledger',
      join(folder, 'ledger.db'),
      '--budgets',
      join(folder, 'budgets.json'),
      '--policy-kept',
      'off',
    ],
    { stdio: 'ignore', env: { ...process.env, ...allocatorSettings } },
  );
  try {
    while (
      !(await fetch(`http://127.0.0.1:${admin!}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ))
    )
      await sleep(2);
    const readyMs = performance.now() - at;
    const [user, system] = readFileSync(`/proc/${child.pid!}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .slice(11, 13)
      .map(Number);
    await sleep(Number(flags.seconds) * 1_000);
    const status = readFileSync(`/proc/${child.pid!}/status`, 'utf8');
    const mb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1_024;
    return { readyMs, cpuMs: (1_000 / ticks) * (user! + system!), version, mb: mb('VmRSS'), ownMb: mb('RssAnon') };
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

const there = programs.filter(([, program]) => existsSync(program));
const runs = new Map<string, Run[]>(there.map(([name]) => [name, []]));
// In turns: a machine that is busy for a while is so for both.
for (let turn = 0; turn < Number(flags.runs); turn++) for (const [name, program] of there) runs.get(name)!.push(await run(program));
const show = (values: readonly number[]): string => {
  const sorted = [...values].sort((a, b) => a - b).map(Math.round);
  return `${sorted[Math.floor(sorted.length / 2)]!} (${sorted[0]!}–${sorted.at(-1)!})`;
};
process.stdout.write(
  tableText({
    header: ['', 'start to ready, ms', 'CPU until then, ms', 'sluice --version, ms', 'resident memory, idle, MB', 'of it not files, MB'],
    rows: [...runs].map(([name, found]) => [
      name,
      show(found.map(({ readyMs }) => readyMs)),
      show(found.map(({ cpuMs }) => cpuMs)),
      show(found.map(({ version }) => version)),
      show(found.map(({ mb }) => mb)),
      show(found.map(({ ownMb }) => ownMb)),
    ]),
  }),
);
