import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../src/demo/stack.ts';

/** The server of this name on this machine: the one named, one on PATH, or what scripts/setup.sh installed; null: none. */
function serverBinary(named: string | undefined, folder: string, name: string): string | null {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((where) => join(where, name));
  return (
    [named ?? '', ...onPath, fileURLToPath(new URL(`../../.tools/${folder}/${name}`, import.meta.url))].find(
      (file) => file !== '' && existsSync(file),
    ) ?? null
  );
}

export const redisBinary: string | null = serverBinary(process.env['REDIS_BIN'], 'redis', 'redis-server');

/** Servers with the Redis protocol: name and binary. */
export const servers: readonly (readonly [name: string, binary: string | null])[] = [
  ['Redis', redisBinary],
  ['Valkey', serverBinary(process.env['VALKEY_BIN'], 'valkey', 'valkey-server')],
];

/** A real Redis, or what `binary` is, of a test's own, on a free port, without a disk. */
export class TestRedis {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #binary: string | null;
  #process: ChildProcess | null = null;

  private constructor(port: number, args: readonly string[], binary: string | null) {
    this.port = port;
    this.#args = args;
    this.#binary = binary;
  }

  /** `args`: redis-server's own for its port; a plain server by default. */
  static async start(args: (port: number) => readonly string[] = plain, binary = redisBinary): Promise<TestRedis> {
    const [port] = await freePorts(1);
    const redis = new TestRedis(port!, args(port!), binary);
    await redis.restart();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async restart(): Promise<void> {
    if (this.#binary === null) throw new Error('no redis-server');
    this.#process = spawn(this.#binary, this.#args, { stdio: 'ignore' });
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
