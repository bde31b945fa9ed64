import { readdirSync, readFileSync } from 'node:fs';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
      return [{ pid: Number(name), parent, command }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** What runs in Sluice's containers in the pods of a namespace, of the node that this process started. */
export interface SluiceProcesses {
  /** The first process of each container. */
  readonly supervisors: readonly number[];
  /** What they run: Sluice, or with workers their parent. */
  readonly sluices: readonly number[];
  /** The workers of each parent. */
  readonly workers: readonly (readonly number[])[];
}

export function sluiceProcesses(namespace: string): SluiceProcesses {
  const all = processes();
  const byPid = new Map(all.map((each) => [each.pid, each]));
  const isOurs = ({ parent }: Process): boolean => {
    for (let pid = parent; pid > 1; pid = byPid.get(pid)?.parent ?? 0) if (pid === process.pid) return true;
    return false;
  };
  const serving = all.filter(({ command }) => command.includes(`.cjs serve --policy-configmaps=${namespace} `)).filter(isOurs);
  const pidsOf = (list: readonly Process[]): number[] => list.map(({ pid }) => pid);
  const supervisors = pidsOf(serving.filter(({ command }) => command.includes('supervise.cjs')));
  const sluices = pidsOf(serving.filter(({ parent }) => supervisors.includes(parent)));
  return { supervisors, sluices, workers: sluices.map((pid) => pidsOf(serving.filter(({ parent }) => parent === pid))) };
}

/** Kills them all at once; the number of those that had not ended by themselves. */
export function kill(pids: readonly number[]): number {
  return pids.filter((pid) => {
    try {
      return process.kill(pid, 'SIGKILL');
    } catch {
      return false;
    }
  }).length;
}
