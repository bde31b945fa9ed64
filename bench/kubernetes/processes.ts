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

/** The processes of Sluice's containers in the pods of a namespace, of the node that this process started. */
export function sluiceProcesses(namespace: string): number[] {
  const all = processes();
  const byPid = new Map(all.map((each) => [each.pid, each]));
  const isOurs = ({ parent }: Process): boolean => {
    for (let pid = parent; pid > 1; pid = byPid.get(pid)?.parent ?? 0) if (pid === process.pid) return true;
    return false;
  };
  return all
    .filter((each) => each.command.includes(`sluice.cjs serve --policy-configmaps=${namespace} `) && isOurs(each))
    .map(({ pid }) => pid);
}

/** Kills them all at once; their number. */
export function killSluice(namespace: string): number {
  const pids = sluiceProcesses(namespace);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return pids.length;
}
