import { readFileSync } from 'node:fs';

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

/** Resident memory of a process, from /proc, in KiB. */
export function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}
