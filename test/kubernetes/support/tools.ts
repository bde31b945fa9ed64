import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Tools that tests run. `testkube` is etcd and all of Kubernetes in one binary. */
export type Tool =
  | 'h2spec'
  | 'grpcurl'
  | 'testkube'
  | 'helm'
  | 'envoy-gateway'
  | 'pilot-discovery'
  | 'kgateway'
  | 'containerd'
  | 'containerd-shim-runc-v2'
  | 'ctr'
  | 'coredns'
  | 'pause.tar'
  | 'runc'
  | 'nft'
  | 'iptables'
  | 'ip'
  | 'unshare'
  | 'nsenter';

/** Path of a tool in `$SLUICE_TEST_TOOLS` or on PATH; null when it is in neither. */
export function findTool(tool: Tool): string | null {
  for (const folder of [process.env['SLUICE_TEST_TOOLS'] ?? '', ...(process.env['PATH'] ?? '').split(delimiter)]) {
    if (folder === '') continue;
    const path = join(folder, tool);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not found here: try the next candidate.
    }
  }
  return null;
}

/** The same for a real node, which needs root and the plugins that give pods their network. */
export function missingForNode(): string {
  const tools = missing(
    'testkube',
    'helm',
    'containerd',
    'containerd-shim-runc-v2',
    'ctr',
    'coredns',
    'pause.tar',
    'runc',
    'nft',
    'iptables',
    'ip',
    'unshare',
    'nsenter',
  );
  if (tools !== '') return tools;
  if (process.getuid?.() !== 0) return ' (skipped: a node needs root)';
  if (spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', '--mount-proc', 'true']).status !== 0)
    return ' (skipped: no right to make namespaces)';
  if (!cgroupsAreWritable()) return ' (skipped: no right to make cgroups)';
  return existsSync(`${cniFolder}/bridge`) ? '' : ` (skipped: no ${cniFolder}/bridge)`;
}

function cgroupsAreWritable(): boolean {
  const folder = join(cgroups, existsSync(join(cgroups, 'cgroup.procs')) ? '' : 'pids', `sluice-probe-${process.pid}`);
  try {
    mkdirSync(folder);
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

/** Where the controllers of cgroups are: version 1 has a folder each, version 2 one for all. */
export const cgroups = '/sys/fs/cgroup';

/** Where Debian's containernetworking-plugins are. */
export const cniFolder = '/usr/lib/cni';

/** What is missing, for the name of a test that is skipped; empty when all is there. */
export function missing(...tools: readonly Tool[]): string {
  const absent = tools.filter((tool) => findTool(tool) === null);
  return absent.length === 0 ? '' : ` (skipped: no ${absent.join(' and no ')} in $SLUICE_TEST_TOOLS or on PATH)`;
}
