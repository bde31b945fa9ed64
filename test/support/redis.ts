import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../src/demo/stack.ts';

/** A redis-server on this machine: $REDIS_BIN, the one on PATH, or what scripts/setup.sh installed; null: none. */
export const redisBinary: string | null =
  [process.env['REDIS_BIN'] ?? '', ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'redis-server')), fileURLToPath(new URL('../../.tools/redis/redis-server', import.meta.url))].find((file) => file !== '' && existsSync(file)) ?? null;

/** A real Redis of a test's own, on a free port, without a disk. */
export class TestRedis {
  readonly port: number;
  readonly #args: readonly string[];
  #process: ChildProcess | null = null;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  /** `args`: redis-server's own for its port; a plain server by default. */
  static async start(args: (port: number) => readonly string[] = plain): Promise<TestRedis> {
    const [port] = await freePorts(1);
    const redis = new TestRedis(port!, args(port!));
    await redis.restart();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async restart(): Promise<void> {
    if (redisBinary === null) throw new Error('no redis-server');
    this.#process = spawn(redisBinary, this.#args, { stdio: 'ignore' });
    for (let tries = 0; tries < 200; tries++) {
      if (await listens(this.port)) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error('redis-server did not start');
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** Kills it. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });
  }
}

const noDisk = ['--save', '', '--appendonly', 'no'];
export const plain = (port: number): string[] => ['--port', String(port), ...noDisk];

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
