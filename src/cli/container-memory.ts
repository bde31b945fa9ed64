import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** Files of a memory cgroup, by version, and what the kernel could take back of its use. */
const versions = [
  {
    line: /^0::(.*)$/m,
    root: '/sys/fs/cgroup',
    use: 'memory.current',
    limit: 'memory.max',
    reclaimable: ['active_file', 'inactive_file', 'slab_reclaimable'],
  },
  {
    line: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m,
    root: '/sys/fs/cgroup/memory',
    use: 'memory.usage_in_bytes',
    limit: 'memory.limit_in_bytes',
    reclaimable: ['total_active_file', 'total_inactive_file'],
  },
] as const;

/**
 * What counts against the memory limit of this process's container and cannot be taken back, in bytes: what its processes hold, files of
 * file systems in memory, and the kernel's own (stacks, page tables, buffers of sockets). Null where the kernel does not say.
 */
export function memoryInUse(): number | null {
  const groups = textOf('/proc/self/cgroup');
  for (const { line, root, use, limit, reclaimable } of versions) {
    const path = line.exec(groups)?.[1];
    if (path === undefined) continue;
    // A container sees its own cgroup as the root, and may still see its path on the machine.
    for (const folder of [`${root}${path}`, root]) {
      const bytes = Number.parseInt(textOf(`${folder}/${use}`), 10);
      const stat = textOf(`${folder}/memory.stat`);
      // Without a limit of its own it is another's: the machine's, or part of what has the limit.
      const limited = Number.parseInt(textOf(`${folder}/${limit}`), 10) <= totalmem();
      if (!limited || Number.isNaN(bytes) || stat === '') continue;
      return bytes - reclaimable.reduce((sum, name) => sum + Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0), 0);
    }
  }
  return null;
}

/** Empty for what is not there. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
