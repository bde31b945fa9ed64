import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type EndSignal = 'SIGKILL' | 'SIGINT' | 'SIGQUIT';

/** A server of a test, in a container or as a process of what is installed. It keeps its port and its data over a restart. */
export interface TestServer {
  /** Starts it, again after `stop`. It may not listen yet. */
  start(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Resolves when it has ended. */
  stop(signal: EndSignal): Promise<void>;
  /** Ends it for good. */
  remove(): Promise<void>;
}

/** A server that is installed on this machine, as a process. */
export class InstalledServer implements TestServer {
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #options: SpawnOptions;
  #process: ChildProcess | null = null;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.#command = command;
    this.#args = args;
    this.#options = options;
  }

  /** 0 when it does not run. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  start(): Promise<void> {
    this.#process = spawn(this.#command, this.#args, { stdio: 'ignore', ...this.#options });
    return Promise.resolve();
  }

  pause(): Promise<void> {
    this.#process?.kill('SIGSTOP');
    return Promise.resolve();
  }

  resume(): Promise<void> {
    this.#process?.kill('SIGCONT');
    return Promise.resolve();
  }

  async stop(signal: EndSignal): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      running.once('exit', () => resolve());
      running.kill(signal);
    });
  }

  remove(): Promise<void> {
    return this.stop('SIGKILL');
  }
}

/** The server of this name on this machine: the one named, one on PATH, or what scripts/setup.sh installed; null: none. */
export function serverBinary(named: string | undefined, folder: string, name: string): string | null {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((where) => join(where, name));
  return (
    [named ?? '', ...onPath, fileURLToPath(new URL(`../../.tools/${folder}/${name}`, import.meta.url))].find(
      (file) => file !== '' && existsSync(file),
    ) ?? null
  );
}

/** The server in its container; where that does not start, the installed one, if there is one, and a line that says so. */
export async function startEither(
  what: string,
  ways: { readonly container: (() => TestServer) | null; readonly installed: (() => TestServer) | null },
): Promise<TestServer> {
  if (ways.container !== null) {
    const server = ways.container();
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.remove().catch(() => undefined);
      if (ways.installed === null) throw error;
      process.stderr.write(`${what}: no container (${(error as Error).message}); the installed server is used\n`);
    }
  }
  if (ways.installed === null) throw new Error(`no ${what}`);
  const server = ways.installed();
  await server.start();
  return server;
}

export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Whether a Redis answers a PING, be it with an error. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'));
    const done = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('data', () => done(true));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    socket.setTimeout(1_000, () => done(false));
  });
}

/** Polls until it is true. */
export async function untilReady(what: string, ready: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await ready())) {
    if (performance.now() > end) throw new Error(`${what} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
