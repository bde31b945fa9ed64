import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { restartsVariable, supervisedVariable, type SupervisedMessage } from '../app/supervised.ts';

interface Settings {
  /** How often the process is asked for a sign of life once it is ready, in ms. */
  readonly askMs: number;
  /** Silence after which it is killed, in ms: before the kubelet's liveness probe ends the whole container. */
  readonly silentMs: number;
  /** Wait before one that ended before it was ready is started again: doubled each time. In ms. */
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
}

const silentMs = Number(process.env['SLUICE_SILENT_SECONDS'] ?? 40) * 1_000;
const settings: Settings = { askMs: silentMs / 8, silentMs, firstRetryMs: 500, longestRetryMs: 30_000 };

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
      if (message !== 'ready') return;
      this.#wasReady = true;
      this.#retryMs = settings.firstRetryMs;
    });
    child.once('exit', (code, signal) => {
      alive.end();
      this.#ended(alive, code, signal);
    });
  }

  /** Passes the order to stop on, and ends with the process. */
  stop(signal: NodeJS.Signals): void {
    this.#stopping = true;
    if (this.#retry !== null) process.exit(0);
    this.#child?.kill(signal);
  }

  #ended(alive: Alive, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping) process.exit(code ?? 0);
    // What stops the first start would stop the next one, and the process has said what it is: Kubernetes shows it.
    if (!this.#wasReady) process.exit(code ?? 1);
    this.#restarts++;
    const waitMs = alive.ready ? 0 : this.#retryMs;
    if (!alive.ready) this.#retryMs = Math.min(settings.longestRetryMs, 2 * this.#retryMs);
    const why = alive.killed ? 'it gave no sign of life' : 'it ended';
    const line = { level: 'error', time: new Date().toISOString(), msg: 'sluice is started again', why, code, signal };
    process.stdout.write(`${JSON.stringify({ ...line, restarts: this.#restarts })}\n`);
    this.#retry = setTimeout(() => this.start(), waitMs);
  }
}

/** Asks a process for signs of life from when it is ready, and kills one that gives none. */
class Alive {
  readonly #child: ChildProcess;
  #asking: NodeJS.Timeout | null = null;
  #last = 0;
  ready = false;
  killed = false;

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
        this.killed = true;
        this.#child.kill('SIGKILL');
      } else if (this.#child.connected) this.#child.send('alive?', () => undefined);
    }, settings.askMs);
  }

  end(): void {
    if (this.#asking !== null) clearInterval(this.#asking);
  }
}

const supervisor = new Supervisor(process.argv.slice(2));
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop(signal));
supervisor.start();
