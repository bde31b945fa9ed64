import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { roomSocket } from '../lib/room-socket.ts';
import { restartsVariable } from '../app/supervised.ts';
import { freePorts } from '../demo/stack.ts';

const entry = fileURLToPath(new URL('./supervise.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-supervise-'));

/** A supervisor and what it says. */
interface Run {
  readonly process: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

const running = new Set<ChildProcess>();

function supervise(args: readonly string[], env: Readonly<Record<string, string>> = {}, cgroup?: MemoryCgroup): Run {
  const into = cgroup === undefined ? 'true' : `echo $$ > ${cgroup.folder}/cgroup.procs`;
  const child = spawn('sh', ['-c', `${into} && exec "$@"`, 'sh', process.execPath, entry, 'serve', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (text += bytes.toString()));
  return { process: child, said: () => text, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

/** A cgroup below that of this process, for a container of its own; null where none can be made. */
interface MemoryCgroup {
  readonly folder: string;
  /** The file with the limit, and what it holds without one. */
  readonly limit: string;
  readonly none: string;
}

const memory = memoryCgroup();

function memoryCgroup(): MemoryCgroup | null {
  const name = `sluice-supervise-${process.pid}`;
  const found = [
    { folder: `/sys/fs/cgroup/memory/${name}`, limit: 'memory.limit_in_bytes', none: '-1' },
    { folder: `/sys/fs/cgroup/${name}`, limit: 'memory.max', none: 'max' },
  ].find(({ folder, limit }) => {
    try {
      mkdirSync(folder);
      const there = existsSync(join(folder, limit));
      rmdirSync(folder);
      return there;
    } catch {
      return false;
    }
  });
  return found ?? null;
}

/** The kernel needs a moment after the end of the last process in it. */
function isRemoved(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

const heldBy = (pid: number): number => 1024 * Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/**
 * Makes what processes hold 95.5% of their cgroup's memory, and the files that they have read can be forgotten. Called again and again: what
 * they hold moves by tens of megabytes in the first seconds.
 */
function limitTo({ folder: into, limit }: MemoryCgroup, more: number, ...pids: readonly number[]): void {
  const held = pids.reduce((sum, pid) => sum + heldBy(pid), more);
  // One that is just ending has no such number any more.
  if (!Number.isNaN(held)) writeFileSync(join(into, limit), String(Math.ceil(held / 0.955)));
}

/**
 * Makes the first process of Sluice as large as a container usually allows. The kernel counts 6 MB of its own for it: of 140 MB in all that
 * leaves hardly anything between the supervisor's limit and the kernel's.
 */
const ballast = join(folder, 'ballast.cjs');
writeFileSync(
  ballast,
  `const { isMainThread } = require('node:worker_threads');
if (isMainThread && process.env.${restartsVariable} === '0') globalThis.ballast = Buffer.alloc(${256 * 1024 ** 2}, 1);`,
);
/** The same in a file that lies in memory: the container's, and no process's. */
const inMemory = `/dev/shm/sluice-supervise-${process.pid}`;
const sharedBallast = join(folder, 'shared-ballast.cjs');
const sharedBytes = 256 * 1024 ** 2;
writeFileSync(
  sharedBallast,
  `const { isMainThread } = require('node:worker_threads');
if (isMainThread && process.env.${restartsVariable} === '0') require('node:fs').writeFileSync('${inMemory}', Buffer.alloc(${sharedBytes}, 1));`,
);

/** Kills a process, and waits until it has left its cgroup with its children. */
async function killed(child: ChildProcess): Promise<void> {
  const pids = [child.pid!, childOf(child)];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await expect.poll(() => pids.every((pid) => !existsSync(`/proc/${pid}/exe`)), { timeout: 10_000 }).toBe(true);
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter((each) => each !== '')
    .map(Number);

/** The supervisor's only child. */
const childOf = ({ pid }: ChildProcess): number => childrenOf(pid!)[0] ?? 0;

const get = async (url: string): Promise<string> => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
};

async function started(
  env: Readonly<Record<string, string>> = {},
  cgroup?: MemoryCgroup,
  more: readonly string[] = [],
): Promise<Run & { readonly admin: string; readonly pid: number }> {
  const [admin] = await freePorts(1);
  const args = ['--listen', `unix:${join(folder, `${admin!}.sock`)}`, '--admin', `127.0.0.1:${admin!}`, '--ledger', 'off', '--grace', '1'];
  const run = supervise(
    [...args, ...more, '--budgets', join(folder, `${admin!}.json`), '--state', join(folder, `${admin!}-state.json`)],
    env,
    cgroup,
  );
  const url = `http://127.0.0.1:${admin!}`;
  await expect.poll(() => get(`${url}/readyz`).catch(() => run.said()), { timeout: 30_000 }).toContain('ready');
  return { ...run, admin: url, pid: childOf(run.process) };
}

/** The status of a health check by gRPC over a connection of its own. */
async function healthAt(path: string): Promise<string> {
  const client = connect('http://sluice', { createConnection: () => createConnection(path) });
  // Its call fails with it.
  client.on('error', () => undefined);
  try {
    const call = client.request({ ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc' });
    call.end(Buffer.alloc(5));
    const [headers] = (await once(call, 'response')) as [{ readonly ':status'?: number }];
    return String(headers[':status']);
  } finally {
    client.destroy();
  }
}

const restarts = async (admin: string): Promise<number> =>
  Number(/^llm_proxy_process_restart_total (\d+)$/m.exec(await get(`${admin}/metrics`))?.[1]);

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});

describe('the supervisor of a container', () => {
  it('starts Sluice again whenever it ends, says so in log and metrics, and stops with it when it is told to', async () => {
    const { admin, pid, process: supervisor, said, ended } = await started();
    expect(await restarts(admin)).toBe(0);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => restarts(admin).catch(() => null), { timeout: 30_000 }).toBe(1);
    expect(said()).toContain('"msg":"sluice is started again","why":"it ended","code":null,"signal":"SIGKILL","restarts":1}');
    // Ended in order, but not by the supervisor.
    process.kill(childOf(supervisor), 'SIGTERM');
    await expect.poll(() => restarts(admin).catch(() => null), { timeout: 30_000 }).toBe(2);
    supervisor.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(said()).toContain('"msg":"stopped"');
  });

  it('has connections wait for the next process, after every kill', async () => {
    const { admin, process: supervisor } = await started();
    const socket = join(folder, `${new URL(admin).port}.sock`);
    const next = roomSocket(socket);
    expect(await healthAt(socket)).toBe('200');
    for (let kills = 1; kills <= 3; kills++) {
      // The place for those that wait is made a second after a start.
      await expect.poll(() => existsSync(next), { timeout: 30_000 }).toBe(true);
      const pid = childOf(supervisor);
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => existsSync(next), { timeout: 30_000, interval: 1 }).toBe(false);
      // Sluice is not there yet: its admin server refuses.
      await expect(get(`${admin}/healthz`)).rejects.toThrow();
      expect(await Promise.all([healthAt(socket), healthAt(socket)])).toEqual(['200', '200']);
      expect(await restarts(admin)).toBe(kills);
    }
    supervisor.kill('SIGTERM');
    await expect.poll(() => existsSync(socket), { timeout: 10_000 }).toBe(false);
    expect(existsSync(next)).toBe(false);
  });

  it('has connections wait until the next workers are there when their parent has ended, and uses the others when one has', async () => {
    const { admin, process: supervisor } = await started({}, undefined, ['--workers', '2']);
    const socket = join(folder, `${new URL(admin).port}.sock`);
    const next = roomSocket(socket);
    for (let kills = 1; kills <= 2; kills++) {
      await expect.poll(() => existsSync(next), { timeout: 30_000 }).toBe(true);
      process.kill(childOf(supervisor), 'SIGKILL');
      await expect.poll(() => existsSync(next), { timeout: 30_000, interval: 1 }).toBe(false);
      await expect(get(`${admin}/healthz`)).rejects.toThrow();
      // What has waited is asked again, over a connection of a worker's own.
      await expect(healthAt(socket)).rejects.toThrow();
      expect(await Promise.all([healthAt(socket), healthAt(socket), healthAt(socket)])).toEqual(['200', '200', '200']);
    }
    await expect.poll(() => get(`${admin}/readyz`).catch(() => ''), { timeout: 30_000 }).toContain('ready');
    const workers = childrenOf(childOf(supervisor));
    expect(workers).toHaveLength(2);
    process.kill(workers[1]!, 'SIGKILL');
    expect(await Promise.all([healthAt(socket), healthAt(socket)])).toEqual(['200', '200']);
    // Both at once: their parent starts them again, at the same socket.
    let both: number[] = [];
    const replaced = (): boolean => (both = childrenOf(childOf(supervisor))).length === 2 && !both.includes(workers[1]!);
    await expect.poll(replaced, { timeout: 30_000 }).toBe(true);
    for (const pid of both) process.kill(pid, 'SIGKILL');
    await expect.poll(() => healthAt(socket).catch(() => ''), { timeout: 30_000 }).toBe('200');
    supervisor.kill('SIGTERM');
    await expect.poll(() => existsSync(socket), { timeout: 20_000 }).toBe(false);
    expect(existsSync(next)).toBe(false);
  });

  it('kills and replaces one that gives no sign of life', async () => {
    const { admin, pid, said } = await started({ SLUICE_SILENT_SECONDS: '4' });
    process.kill(pid, 'SIGSTOP');
    await expect.poll(() => restarts(admin).catch(() => null), { timeout: 30_000 }).toBe(1);
    expect(said()).toContain('"why":"it gave no sign of life"');
  });

  it.skipIf(memory === null).each([
    ['of its own', ballast, 0],
    ['in files that lie in it', sharedBallast, sharedBytes],
  ])(
    `replaces one that has almost used up the container's memory, before the kernel ends both, %s${memory === null ? ' (skipped: no cgroup for memory here)' : ''}`,
    async (_, ballastFile, more) => {
      const cgroup = memory!;
      mkdirSync(cgroup.folder);
      try {
        const { admin, pid, process: supervisor, said } = await started({ NODE_OPTIONS: `--require ${ballastFile}` }, cgroup);
        expect(await restarts(admin)).toBe(0);
        const limitAndSaid = (): string => {
          if (childOf(supervisor) === pid) limitTo(cgroup, more, supervisor.pid!, pid);
          return said();
        };
        await expect.poll(limitAndSaid, { timeout: 30_000 }).toMatch(/"why":"it used \d+ bytes of the container's \d+"/);
        writeFileSync(join(cgroup.folder, cgroup.limit), cgroup.none);
        await expect.poll(() => restarts(admin).catch(() => null), { timeout: 30_000 }).toBe(1);
        expect(supervisor.exitCode).toBeNull();
      } finally {
        for (const child of running) await killed(child);
        rmSync(inMemory, { force: true });
        await expect.poll(() => isRemoved(cgroup.folder), { timeout: 10_000 }).toBe(true);
      }
    },
  );

  it('stops Sluice when it is killed itself', async () => {
    const { pid, process: supervisor } = await started();
    supervisor.kill('SIGKILL');
    const gone = (): boolean => {
      try {
        return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
      } catch {
        return true;
      }
    };
    await expect.poll(gone, { timeout: 30_000 }).toBe(true);
  });

  it('ends with a first start that fails, as Sluice does', async () => {
    const { ended, said } = supervise(['--listen', 'nonsense']);
    expect(await ended).not.toBe(0);
    expect(said()).toContain('SLUICE_');
    expect(said()).not.toContain('started again');
  });
});

process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
