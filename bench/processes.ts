import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { LoadPlan, LoadResult } from './load.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** CPU microseconds that a process has used, from /proc; 10 ms ticks. */
export function cpuOf(pid: number): number {
  return ticksOf(`/proc/${pid}/stat`);
}

/** The same of one thread; a process's main thread has its own number. */
export function threadCpuOf(pid: number, thread: number): number {
  return ticksOf(`/proc/${pid}/task/${thread}/stat`);
}

function ticksOf(file: string): number {
  const fields = readFileSync(file, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Resident memory of a process, from /proc, in KiB; `files`: only what files back, which processes share. */
export function memoryOf(pid: number, what: 'all' | 'files' = 'all'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number((what === 'all' ? /VmRSS:\s+(\d+)/ : /RssFile:\s+(\d+)/).exec(status)?.[1] ?? 0);
}

/** The machine and the runtime, for a result's heading. */
export const machine = (): string => `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Linux ${release()}, Node ${process.version}`;

/** Runs the load generator in a process of its own. Throws when it ends without a result. */
export function load(plan: LoadPlan): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${root}bench/load.ts`, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (data: Buffer) => (text += data.toString()));
    child.once('exit', (code) =>
      code === 0 ? resolve(JSON.parse(text) as LoadResult) : reject(new Error(`the load generator ended with ${code ?? 'a signal'}`)),
    );
  });
}

/** Processes that end with this one. */
export class Children {
  readonly #children: ChildProcess[] = [];

  start(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: root, env: { ...process.env, ...env } });
    this.#children.push(child);
    return child;
  }

  /** Starts the fake provider; resolves with its port. */
  async startUpstream(): Promise<number> {
    const upstream = this.start(process.execPath, [`${root}bench/upstream.ts`]);
    return Number(await new Promise<string>((resolve) => upstream.stdout!.once('data', (data: Buffer) => resolve(data.toString().trim()))));
  }

  /** Waits for `http://…` to answer. Throws after a minute. */
  async untilReady(url: string): Promise<void> {
    for (let tries = 0; tries < 1_200; tries++) {
      if (
        await fetch(url).then(
          (response) => response.ok,
          () => false,
        )
      )
        return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${url} did not become ready`);
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}
