import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { end, serviceRange, serviceRange6 } from './cluster.ts';
import { cgroups } from './tools.ts';

const run = promisify(execFile);

/** Whether machines, pods and Services get addresses of both families. */
export const hasIpv6 = existsSync('/proc/net/if_inet6') && readFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', 'utf8').trim() === '0';
/** How many times a process's time all pods together get on a busy machine, in both versions of cgroups. */
const podWeight = 20;
const podWeights = [
  ['cpu.weight', 100 * podWeight],
  ['cpu.shares', 1_024 * podWeight],
] as const;
/** Unique local addresses of machines. */
const ip6Prefix = 'fd00:250:0';

/**
 * A machine inside this one: processes, mounts and network of its own, reached by an address. Everything in it ends with it,
 * and it ends with the process that made it, however that ends. Several stand side by side. Needs root, unshare, nsenter and ip.
 */
export class TestMachine {
  /** Its address, for this machine and for what runs in it. */
  readonly ip: string;
  /** Its IPv6 address; null where the kernel has none. */
  readonly ip6: string | null;
  /** A cgroup that exists, for what runs in it. */
  readonly cgroup: string;
  readonly #holder: ChildProcess;
  readonly #namespaces: readonly string[];

  private constructor(holder: ChildProcess) {
    const pid = holder.pid ?? 0;
    // A subnet of four addresses for each process number that may be alive at the same time.
    const block = (pid % 16_384) * 4;
    const address = (host: number): string => `10.250.${(block + host) >> 8}.${(block + host) & 255}`;
    this.ip = address(2);
    this.ip6 = hasIpv6 ? `${ip6Prefix}:${(pid % 65_536).toString(16)}::2` : null;
    this.cgroup = `/sluice-test-${pid}`;
    this.#holder = holder;
    this.#namespaces = [`--net=/proc/${pid}/ns/net`, `--mount=/proc/${pid}/ns/mnt`, `--pid=/proc/${pid}/ns/pid_for_children`];
    const link = `sluice${pid}`;
    execFileSync('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)]);
    execFileSync('ip', ['addr', 'add', `${address(1)}/30`, 'dev', link]);
    execFileSync('ip', ['link', 'set', link, 'up']);
    this.#inside('ip', 'addr', 'add', `${this.ip}/30`, 'dev', 'eth0');
    this.#inside('ip', 'link', 'set', 'eth0', 'up');
    // Services' addresses need a route, although they are rewritten before anything leaves. There is no other: nothing in it reaches the
    // internet.
    this.#inside('ip', 'route', 'add', serviceRange, 'via', address(1));
    this.#inside('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    if (this.ip6 !== null) {
      this.#inside('ip', 'addr', 'add', `${this.ip6}/64`, 'dev', 'eth0', 'nodad');
      this.#inside('ip', 'route', 'add', serviceRange6, 'dev', 'eth0');
      this.#inside('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
    }
    for (const folder of this.#cgroupFolders()) {
      mkdirSync(folder, { recursive: true });
      // All pods together compete with single processes of this machine: with the weight of one process they would hardly run beside others.
      for (const [name, weight] of podWeights) if (existsSync(join(folder, name))) writeFileSync(join(folder, name), String(weight));
    }
  }

  static async start(): Promise<TestMachine> {
    // It runs until its stdin closes, which happens when this process ends.
    const script = 'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log && ip link set lo up && echo ready && exec cat';
    const holder = spawn('unshare', ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      holder.once('exit', () => reject(new Error('no namespaces here')));
      holder.stdout.once('data', () => resolve());
    });
    return new TestMachine(holder);
  }

  /** The command that runs another one in it. A kill of the first leaves the second: `stop` ends both. */
  enter(command: string, args: readonly string[]): readonly [command: string, args: readonly string[]] {
    return ['nsenter', [...this.#namespaces, '--', command, ...args]];
  }

  /** Runs a command in it to its end; resolves with its stdout. */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    return (await run(...this.enter(command, args))).stdout;
  }

  /** Lets all pods together have so many cores; null: as many as there are. */
  limit(cpus: number | null): void {
    const period = 100_000;
    const quota = cpus === null ? null : Math.round(cpus * period);
    const folder = this.#cgroupFolders().find((each) => existsSync(join(each, 'cpu.max')) || existsSync(join(each, 'cpu.cfs_quota_us')));
    if (folder === undefined) throw new Error('there is no cgroup for CPU here');
    if (existsSync(join(folder, 'cpu.max'))) writeFileSync(join(folder, 'cpu.max'), `${quota ?? 'max'} ${period}`);
    else writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quota ?? -1));
  }

  async stop(): Promise<void> {
    await end(this.#holder, 'SIGKILL');
    // The kernel is still ending what was in them.
    for (const folder of this.#cgroupFolders()) {
      for (let tries = 0; existsSync(folder) && !removed(folder) && tries < 50; tries++)
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #inside(command: string, ...args: readonly string[]): void {
    const [first, rest] = this.enter(command, args);
    execFileSync(first, rest);
  }

  #cgroupFolders(): string[] {
    const controllers = existsSync(join(cgroups, 'cgroup.procs')) ? [''] : readdirSync(cgroups);
    return controllers.map((controller) => join(cgroups, controller, this.cgroup));
  }
}

/** Removes a cgroup and those below; false while one is in use. */
function removed(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory() && !removed(join(folder, entry.name))) return false;
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
