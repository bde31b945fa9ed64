import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/demo/stack.ts';
import { contained, ContainerServer, images } from './containers.ts';
import { answers, InstalledServer, listens, serverBinary, startEither, untilReady, type TestServer } from './server.ts';

type RedisName = 'redis' | 'valkey';

/** The installed servers. */
export const binaries: Readonly<Record<RedisName, string | null>> = {
  redis: serverBinary(process.env['REDIS_BIN'], 'redis', 'redis-server'),
  valkey: serverBinary(process.env['VALKEY_BIN'], 'valkey', 'valkey-server'),
};

const there = (name: RedisName): boolean => contained(name) || binaries[name] !== null;

/** Whether tests with a Redis run: in a container or on the installed server. */
export const redisThere: boolean = there('redis');

/** Servers with the Redis protocol, and whether each is there. */
export const servers: readonly (readonly [title: string, name: RedisName, there: boolean])[] = [
  ['Redis', 'redis', redisThere],
  ['Valkey', 'valkey', there('valkey')],
];

export interface RedisOptions {
  readonly server?: RedisName;
  /** redis-server's own for its port; a plain server by default. */
  readonly args?: (port: number) => readonly string[];
  /** Files of its working directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Ports of servers that will start beside this one, and that reach it and each other at the address that clients use. */
  readonly opens?: readonly number[];
  readonly beside?: TestRedis;
}

/** A real Redis or Valkey of a test's own, on a free port, without a disk. */
export class TestRedis {
  readonly port: number;
  readonly #options: RedisOptions;
  #server: TestServer | null = null;
  #folder: string | null = null;

  private constructor(port: number, options: RedisOptions) {
    this.port = port;
    this.#options = options;
  }

  static async start(options: RedisOptions = {}): Promise<TestRedis> {
    const redis = new TestRedis(options.port ?? (await freePorts(1))[0]!, options);
    const name = options.server ?? 'redis';
    const { beside } = options;
    const inContainer = contained(name) && (beside === undefined || beside.#server instanceof ContainerServer);
    redis.#server = await startEither(name, {
      container: inContainer ? () => redis.#container(name) : null,
      installed: binaries[name] === null ? null : () => redis.#installed(binaries[name]!),
    });
    await redis.#ready();
    return redis;
  }

  get #args(): readonly string[] {
    return (this.#options.args ?? plain)(this.port);
  }

  #container(name: RedisName): ContainerServer {
    const { opens = [], files, beside } = this.#options;
    const ports = [this.port, ...opens].map((port) => ({ host: port, container: port }));
    const around = beside === undefined ? null : beside.#server;
    return new ContainerServer({
      image: images[name],
      command: this.#args,
      ports,
      ...(files === undefined ? {} : { files }),
      ...(around instanceof ContainerServer ? { beside: around } : {}),
      ...(opens.length === 0 ? {} : { ready: /Ready to accept connections/ }),
    });
  }

  #installed(binary: string): InstalledServer {
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-test-redis-'));
    for (const [name, content] of Object.entries(this.#options.files ?? {})) writeFileSync(join(this.#folder, name), content);
    return new InstalledServer(binary, this.#args, { cwd: this.#folder });
  }

  #ready(): Promise<void> {
    // A port of a container takes connections before its server does. What serves TLS alone answers no plain PING.
    const ready = this.#args.includes('--tls-port') ? listens : answers;
    return untilReady(this.#options.server ?? 'redis', () => ready(this.port));
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async restart(): Promise<void> {
    await this.#server!.start();
    await this.#ready();
  }

  pause(): Promise<void> {
    return this.#server!.pause();
  }

  resume(): Promise<void> {
    return this.#server!.resume();
  }

  /** Kills it; it may be started again. */
  async stop(): Promise<void> {
    await this.#server?.stop('SIGKILL');
  }

  /** Kills it for good. */
  async remove(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await server?.remove();
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The last thing a process does when it exits: containers end by themselves then. */
  killNow(): void {
    if (this.#server instanceof InstalledServer && this.#server.pid !== 0) process.kill(this.#server.pid, 'SIGKILL');
  }
}

const noDisk = ['--save', '', '--appendonly', 'no'];
export const plain = (port: number): string[] => ['--port', String(port), ...noDisk];
