import cluster, { type Worker } from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import { hostAndPort } from '../../lib/address.ts';
import { checkFree } from '../../lib/free-address.ts';
import { SluiceError } from '../../lib/errors.ts';
import { workersSocket } from '../../lib/room-socket.ts';
import { clearStaleSocket, socketPath } from '../../extproc/socket.ts';
import type { SluiceOptions } from '../options.ts';
import { createWorkersAdmin, type ReadyWorker } from './admin.ts';
import { forwardLines } from './forward-lines.ts';
import { isStartedAgain, restartsVariable, type Supervised } from '../supervised.ts';
import { balanceMs, renewMessage, secretVariable, workerVariable, type WorkerMessage } from './messages.ts';

/** Wait before a worker that ended before it was ready is started again: doubled each time. In ms. */
const firstRetryMs = 500;
const longestRetryMs = 30_000;
/** A worker may take this much longer than its drain to stop, in ms. */
const beyondGraceMs = 10_000;

export interface Parent {
  readonly adminUrl: string;
  /** What becomes of connections that have waited for this process. */
  readonly waits: Pick<Supervised, 'socket' | 'adopt'>;
  /** Stops all workers, each with its drain. */
  close(graceMs: number): Promise<void>;
}

/**
 * Runs `count` processes of this program with the same arguments. They share the address for Envoy, and its connections are evened out
 * among them. All streams of a request come over one connection, as Envoy has one per thread of its own, so that one worker
 * sees all of a request. A worker that ends is replaced; Envoy connects again, to another one. Throws SluiceError if the first workers
 * do not start.
 */
export async function superviseWorkers(options: SluiceOptions, count: number, tell: (line: object) => void): Promise<Parent> {
  // Started again, it takes the place of what listens there.
  const again = isStartedAgain();
  if (!again) await checkFree(options.listen, '--listen');
  await checkFree(options.admin, '--admin');
  if (options.metrics !== null) await checkFree(options.metrics, '--metrics');
  const path = socketPath(options.listen);
  if (path === null || options.transport !== 'frames')
    throw new SluiceError('SLUICE_CLI_USAGE', 'several workers share a Unix socket by --transport frames; elsewhere run more replicas.', {
      where: '--workers',
    });
  if (!again) await clearStaleSocket(path);
  rmSync(workersSocket(path), { force: true });
  // The kernel gives a connection to a worker that accepts it. Those that this process would hand on to one that is ending would hang.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: process.argv[1]!, args: process.argv.slice(2), stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const workers = new Workers(randomBytes(32).toString('hex'), path, tell);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(path, { force: true }));
  stack.defer(() => workers.close(0));
  const servers = await openServers(options, workers, stack);
  // The first alone: files that do not exist yet are made by one.
  await workers.start(0);
  await Promise.all(Array.from({ length: count - 1 }, (_, at) => workers.start(at + 1)));
  tell({ level: 'info', msg: 'ready', listen: options.listen, ...servers, workers: count });
  const opened = stack.move();
  return {
    adminUrl: servers.admin,
    // Of what has come on it this process would read a part: Envoy asks a worker again, over a connection of the worker's own.
    waits: { socket: path, adopt: (connection) => connection.destroy() },
    async close(graceMs) {
      await workers.close(graceMs);
      await opened.disposeAsync();
    },
  };
}

async function openServers(
  { admin, metrics, adminToken: token }: SluiceOptions,
  workers: Workers,
  stack: AsyncDisposableStack,
): Promise<{ readonly admin: string; readonly metrics?: string }> {
  const ready = (): readonly ReadyWorker[] => workers.ready();
  const open = async (address: string, flag: string, metricsOnly: boolean): Promise<string> => {
    const { host, port } = hostAndPort(address, flag);
    const server = createWorkersAdmin({ ready, token, metricsOnly });
    const url = `http://${await server.listen(host, port)}`;
    stack.defer(() => server.close());
    return url;
  };
  const adminUrl = await open(admin, '--admin', false);
  return { admin: adminUrl, ...(metrics === null ? {} : { metrics: await open(metrics, '--metrics', true) }) };
}

/** The workers by number. */
class Workers {
  readonly #secret: string;
  readonly #path: string;
  readonly #tell: (line: object) => void;
  readonly #running = new Map<number, Worker>();
  readonly #ready = new Map<number, ReadyWorker & { connections: number }>();
  readonly #balancing = setInterval(() => this.#balance(), balanceMs);
  readonly #retries = new Set<NodeJS.Timeout>();
  readonly #restarts = new Map<number, number>();
  #closing = false;

  constructor(secret: string, path: string, tell: (line: object) => void) {
    this.#secret = secret;
    this.#path = path;
    this.#tell = tell;
  }

  ready(): readonly ReadyWorker[] {
    return [...this.#ready.values()].sort((one, other) => one.worker - other.worker);
  }

  /** Has the socket that the first worker has opened take its place. The others, and those that replace it, share it. */
  #place(): void {
    const own = workersSocket(this.#path);
    if (!existsSync(own)) return;
    // In most pods, Envoy runs as another user of the same group.
    chmodSync(own, 0o770);
    renameSync(own, this.#path);
  }

  /** Starts one and keeps one of its number running. Resolves when it is ready; rejects if it ends before. */
  start(number: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fork(number, {
        ready: resolve,
        ended: () =>
          reject(new SluiceError('SLUICE_NOT_STARTED', 'it ended before it was ready, and said why above.', { where: `worker ${number}` })),
        retryMs: firstRetryMs,
        first: true,
      });
    });
  }

  #fork(number: number, told: { ready(): void; ended(): void; readonly retryMs: number; readonly first: boolean }): void {
    const worker = cluster.fork({
      [workerVariable]: String(number),
      [secretVariable]: this.#secret,
      [restartsVariable]: String(this.#restarts.get(number) ?? 0),
    });
    this.#running.set(number, worker);
    forwardLines(worker.process.stdout!, process.stdout);
    let wasReady = false;
    worker.on('message', (message: WorkerMessage) => {
      const known = this.#ready.get(number);
      if ('connections' in message) {
        if (known !== undefined) known.connections = message.connections;
        return;
      }
      wasReady = true;
      this.#ready.set(number, { worker: number, pid: worker.process.pid!, url: message.adminUrl, connections: 0 });
      this.#place();
      told.ready();
    });
    worker.on('exit', (code, signal) => {
      this.#running.delete(number);
      this.#ready.delete(number);
      if (this.#closing) return;
      // The first start of all: what stopped this worker would stop the next one, and it has said what it is.
      if (!wasReady && told.first) {
        told.ended();
        return;
      }
      this.#restarts.set(number, (this.#restarts.get(number) ?? 0) + 1);
      this.#tell({ level: 'error', msg: 'a worker ended; another one is started', worker: number, pid: worker.process.pid, code, signal });
      const again = (retryMs: number): void =>
        this.#fork(number, { ready: () => undefined, ended: () => undefined, retryMs, first: false });
      if (wasReady) again(firstRetryMs);
      else {
        const retry = setTimeout(() => {
          this.#retries.delete(retry);
          again(Math.min(longestRetryMs, 2 * told.retryMs));
        }, told.retryMs);
        this.#retries.add(retry);
      }
    });
  }

  /** Envoy keeps its connections: one that has two more than another worker has lets one be opened again. */
  #balance(): void {
    const [fewest, ...more] = [...this.#ready.values()].sort((one, other) => one.connections - other.connections);
    const most = more.at(-1);
    if (fewest === undefined || most === undefined || most.connections - fewest.connections < 2) return;
    const child = this.#running.get(most.worker)?.process;
    if (child?.connected === true) child.send(renewMessage);
  }

  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    clearInterval(this.#balancing);
    for (const retry of this.#retries) clearTimeout(retry);
    await Promise.all([...this.#running.values()].map((worker) => stopped(worker, graceMs)));
  }
}

function stopped({ process: child }: Worker, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => child.kill('SIGKILL'), graceMs + beyondGraceMs);
    child.once('exit', () => {
      clearTimeout(cut);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
