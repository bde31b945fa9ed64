import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { memoryInUse } from './container-memory.ts';
import { WaitingRoom } from './waiting-room.ts';
import { restartsVariable, supervisedVariable, type SupervisedMessage } from '../app/supervised.ts';

interface Settings {
  /** How often the process is asked for a sign of life once it is ready, in ms. */
  readonly askMs: number;
  /** Silence after which it is killed, in ms: long before Envoy no longer waits where it waits long, and a liveness probe ends the container. */
  readonly silentMs: number;
  /** Wait before one that ended before it was ready is started again: doubled each time. In ms. */
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  /** A process that has used up its memory in less than this has to wait for the next start too, in ms. */
  readonly soonMs: number;
  /** How often the memory in use is compared with the container's limit, in ms. */
  readonly memoryMs: number;
  /** The share of the limit at which a process is killed: before the kernel ends the whole container. */
  readonly memoryShare: number;
  /** How long connections wait for the next process, in ms. */
  readonly waitingMs: number;
}

const silentMs = Number(process.env['SLUICE_SILENT_SECONDS'] ?? 20) * 1_000;
const settings: Settings = {
  askMs: silentMs / 8,
  silentMs,
  firstRetryMs: 500,
  longestRetryMs: 30_000,
  soonMs: 60_000,
  memoryMs: 200,
  memoryShare: 0.93,
  waitingMs: 30_000,
};

/**
 * The first process of Sluice's container: it runs `sluice` with the arguments that it got, and starts it again at once when it ends. For
 * Kubernetes the container goes on running, so that the pod stays ready and in its Service, and there is no pause between restarts.
 * It loads nothing of Sluice and holds 9 MB of its own.
 */
class Supervisor {
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #retry: NodeJS.Timeout | null = null;
  #retryMs = settings.firstRetryMs;
  #restarts = 0;
  #wasReady = false;
  #room: WaitingRoom | null = null;
  #stopping = false;

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  start(): void {
    this.#retry = null;
    const child = spawn(
      process.execPath,
      [...process.execArgv, fileURLToPath(new URL('../cli/index.ts', import.meta.url)), ...this.#args],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: { ...process.env, [supervisedVariable]: '1', [restartsVariable]: String(this.#restarts) },
      },
    );
    this.#child = child;
    const alive = new Alive(child);
    child.on('message', (message: SupervisedMessage) => {
      alive.heard();
      if (message !== 'alive') this.#ready(child, message.socket);
    });
    // Its end is seen here before it is over.
    child.once('disconnect', () => this.#gone());
    child.once('exit', (code, signal) => {
      alive.end();
      this.#ended(alive, code, signal);
    });
  }

  #ready(child: ChildProcess, socket: string | null): void {
    this.#wasReady = true;
    const before = this.#room;
    this.#room = null;
    const next = (): void => {
      if (socket !== null && !this.#stopping) this.#room = new WaitingRoom(socket);
    };
    if (before === null) next();
    else before.passTo(child, next);
  }

  /** Has connections wait for the next process. */
  #gone(): void {
    const room = this.#room;
    if (room === null || this.#stopping) return;
    room.open();
    setTimeout(() => {
      if (room === this.#room) this.#close();
    }, settings.waitingMs).unref();
  }

  #close(): void {
    this.#room?.close();
    this.#room = null;
  }

  /** Passes the order to stop on, and ends with the process. */
  stop(signal: NodeJS.Signals): void {
    this.#stopping = true;
    this.#close();
    if (this.#retry !== null) process.exit(0);
    this.#child?.kill(signal);
  }

  #ended(alive: Alive, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping) process.exit(code ?? 0);
    // What stops the first start would stop the next one, and the process has said what it is: Kubernetes shows it.
    if (!this.#wasReady) process.exit(code ?? 1);
    this.#restarts++;
    const waits = alive.endsAtOnce;
    const waitMs = waits ? this.#retryMs : 0;
    if (waits) this.#close();
    this.#retryMs = waits ? Math.min(settings.longestRetryMs, 2 * this.#retryMs) : settings.firstRetryMs;
    const why = alive.killed ?? 'it ended';
    const line = { level: 'error', time: new Date().toISOString(), msg: 'sluice is started again', why, code, signal };
    process.stdout.write(`${JSON.stringify({ ...line, restarts: this.#restarts })}\n`);
    this.#retry = setTimeout(() => this.start(), waitMs);
  }
}

/** Asks a process for signs of life from when it is ready, and kills one that gives none. */
class Alive {
  readonly #child: ChildProcess;
  readonly #since = performance.now();
  #asking: NodeJS.Timeout | null = null;
  #weighing: NodeJS.Timeout | null = null;
  #last = 0;
  #usedMemory = false;
  ready = false;
  /** Why it was killed. */
  killed: string | null = null;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  heard(): void {
    this.#last = performance.now();
    if (this.ready) return;
    this.ready = true;
    let asked = this.#last;
    this.#asking = setInterval(() => {
      const now = performance.now();
      // A machine that stood still has kept both from running: that time counts for neither.
      if (now - asked > 2 * settings.askMs) this.#last += now - asked - settings.askMs;
      asked = now;
      if (now - this.#last > settings.silentMs) {
        this.killed = 'it gave no sign of life';
        this.#child.kill('SIGKILL');
      } else if (this.#child.connected) this.#child.send('alive?', () => undefined);
    }, settings.askMs);
    this.#weighing = setInterval(() => this.#weigh(), settings.memoryMs);
  }

  end(): void {
    for (const timer of [this.#asking, this.#weighing]) if (timer !== null) clearInterval(timer);
  }

  /** Whether the next one is likely to end as soon as it has started: this one never was ready, or used up its memory in little time. */
  get endsAtOnce(): boolean {
    return !this.ready || (this.#usedMemory && performance.now() - this.#since < settings.soonMs);
  }

  /** Kills the largest of its processes when the container's memory is almost used up. */
  #weigh(): void {
    const limit = process.constrainedMemory();
    // Without a limit it is 0, or more than any machine has.
    if (limit === 0 || limit > totalmem()) return;
    const processes = treeOf(process.pid).map((pid) => ({ pid, bytes: anonymousBytes(pid) }));
    const used = memoryInUse() ?? processes.reduce((sum, { bytes }) => sum + bytes, 0);
    if (used < settings.memoryShare * limit) return;
    const [largest] = processes.filter(({ pid }) => pid !== process.pid).sort((a, b) => b.bytes - a.bytes);
    if (largest === undefined) return;
    this.#usedMemory = true;
    // Of several workers their parent starts the one again that is missing.
    if (largest.pid === this.#child.pid) this.killed = `it used ${used} bytes of the container's ${limit}`;
    kill(largest.pid);
  }
}

/** A process and all that it has started, as they run now. */
function treeOf(pid: number): number[] {
  const children = linesOf(`/proc/${pid}/task/${pid}/children`).trim();
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => treeOf(Number(child))))];
}

/** What it holds that no file backs, which the kernel cannot take back. */
function anonymousBytes(pid: number): number {
  return 1024 * Number(/^RssAnon:\s+(\d+) kB$/m.exec(linesOf(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** One that has ended meanwhile needs it no more. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** Empty for a process that has ended. */
function linesOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const supervisor = new Supervisor(process.argv.slice(2));
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop(signal));
supervisor.start();
