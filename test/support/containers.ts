import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { StartedTestContainer } from 'testcontainers';
import type { EndSignal, TestServer } from './server.ts';

/** The images in which tests run servers where there is a Docker. */
export const images = {
  redis: 'redis:8.2-alpine',
  valkey: 'valkey/valkey:8.1-alpine',
  postgres: 'postgres:17-alpine',
  clickhouse: 'clickhouse/clickhouse-server:25.8-alpine',
} as const;

export type ServerName = keyof typeof images;
const names = Object.keys(images) as ServerName[];

/** Names the images of this run: `found` is asked once a run (global-setup.ts), and the processes of the tests inherit the answer. */
export const variable = 'SLUICE_TEST_CONTAINERS';

/** Whether this server of tests runs in a container. */
export function contained(name: ServerName): boolean {
  return (process.env[variable] ?? '').split(',').includes(name);
}

type Address = { readonly socketPath: string } | { readonly host: string; readonly port: string };

/** Where a Docker of this machine would be, as its own clients look for it; null: nowhere. `elsewhere`: on another machine. */
export function dockerAddress(env: NodeJS.ProcessEnv = process.env): Address | 'elsewhere' | null {
  const named = env['DOCKER_HOST'] ?? '';
  if (named.startsWith('unix://')) return { socketPath: named.slice('unix://'.length) };
  if (named !== '') {
    const local = /^tcp:\/\/(localhost|127\.0\.0\.1):(\d+)\/?$/.exec(named);
    return local === null || env['DOCKER_TLS_VERIFY'] !== undefined ? 'elsewhere' : { host: '127.0.0.1', port: local[2]! };
  }
  const home = env['HOME'] ?? homedir();
  const runtime = env['XDG_RUNTIME_DIR'];
  const sockets = [
    '/var/run/docker.sock',
    ...(runtime === undefined ? [] : [join(runtime, 'docker.sock')]),
    join(home, '.docker/run/docker.sock'),
    join(home, '.docker/desktop/docker.sock'),
  ];
  const socketPath = sockets.find((file) => existsSync(file));
  return socketPath === undefined ? null : { socketPath };
}

/** One question to Docker. Rejects when it does not answer in time. */
function ask(address: Address, method: 'GET' | 'POST', path: string, timeoutMs: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...address, method, path, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    const timer = setTimeout(() => asked.destroy(new Error(`no answer in ${timeoutMs / 1_000} s`)), timeoutMs);
    asked.once('error', reject);
    asked.once('close', () => clearTimeout(timer));
    asked.end();
  });
}

export interface Found {
  /** The servers whose images are here. */
  readonly names: readonly ServerName[];
  /** Why a Docker that seems to be here is not used, or not for all of them. */
  readonly problem: string | null;
}

/** What Docker has of the images. Where there is no Docker, this costs a look for its sockets. */
export async function found(env: NodeJS.ProcessEnv = process.env): Promise<Found> {
  const address = dockerAddress(env);
  if (address === null) return { names: [], problem: null };
  if (address === 'elsewhere') return { names: [], problem: `Docker at ${env['DOCKER_HOST']} is not on this machine` };
  try {
    const ping = await ask(address, 'GET', '/_ping', 2_000);
    if (ping.status !== 200) throw new Error(`status ${ping.status}`);
    const there = await Promise.all(
      names.map(async (name) => (await ask(address, 'GET', `/images/${images[name]}/json`, 5_000)).status === 200),
    );
    const absent = names.filter((_, index) => !there[index]);
    return {
      names: names.filter((_, index) => there[index]),
      problem: absent.length === 0 ? null : `Docker does not have ${absent.map((name) => images[name]).join(', ')}`,
    };
  } catch (error) {
    return { names: [], problem: `Docker is not usable (${messageOf(error)})` };
  }
}

/** Has Docker fetch the images that it does not have yet; why one cannot be had is in the result's problem. */
export async function pull(env: NodeJS.ProcessEnv = process.env, timeoutMs = 600_000): Promise<Found> {
  const before = await found(env);
  const address = dockerAddress(env);
  // Without a usable Docker, or with all of them.
  if (address === null || address === 'elsewhere' || before.problem === null || before.problem.includes('not usable')) return before;
  const reasons = await Promise.all(
    names
      .filter((name) => !before.names.includes(name))
      .map(async (name) => {
        const [image, tag] = images[name].split(':') as [string, string];
        const pulled = await ask(address, 'POST', `/images/create?fromImage=${encodeURIComponent(image)}&tag=${tag}`, timeoutMs).catch(
          (error: unknown) => ({ status: 0, body: messageOf(error) }),
        );
        // Docker answers 200 before it begins: what failed then is the last line.
        return pulled.status === 200 ? (/"error":"([^"]*)"/.exec(pulled.body)?.[1] ?? '') : pulled.body.trim();
      }),
  );
  const after = await found(env);
  const why = reasons.find((reason) => reason !== '');
  return after.problem === null || why === undefined ? after : { ...after, problem: `${after.problem} (${why})` };
}

function messageOf(error: unknown): string {
  return error instanceof Error
    ? error.message !== ''
      ? error.message
      : ((error as NodeJS.ErrnoException).code ?? error.name)
    : String(error);
}

export interface ContainerOptions {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The port on this machine and the one inside. A restart keeps both. */
  readonly ports: readonly { readonly host: number; readonly container: number }[];
  /** Files of the working directory. */
  readonly files?: Readonly<Record<string, string>>;
  /** Shares this container's network and its published ports. */
  readonly beside?: ContainerServer;
  readonly workingDirectory?: string;
  /** What says that it serves, instead of its ports: HTTP at `/ping` of the first, or a line of its output. */
  readonly ready?: 'http' | RegExp;
}

/** A server in a container of its own. */
export class ContainerServer implements TestServer {
  readonly #options: ContainerOptions;
  #container: StartedTestContainer | null = null;

  constructor(options: ContainerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#container !== null) return this.#runtime((container) => container.start());
    const { image, command, environment, ports, files = {}, beside, workingDirectory = '/data', ready } = this.#options;
    const { GenericContainer, Wait } = await import('testcontainers');
    let container = new GenericContainer(image).withCopyContentToContainer(
      Object.entries(files).map(([name, content]) => ({ content, target: `${workingDirectory}/${name}`, mode: 0o666 })),
    );
    if (command !== undefined) container = container.withCommand([...command]);
    if (environment !== undefined) container = container.withEnvironment(environment);
    container = beside === undefined ? container.withExposedPorts(...ports) : container.withNetworkMode(`container:${beside.#id()}`);
    if (ready === 'http') container = container.withWaitStrategy(Wait.forHttp('/ping', ports[0]!.container));
    if (ready instanceof RegExp) container = container.withWaitStrategy(Wait.forLogMessage(ready));
    this.#container = await container.withStartupTimeout(60_000).start();
    const host = this.#container.getHost();
    if (host === 'localhost' || host === '127.0.0.1') return;
    await this.remove();
    throw new Error(`the ports of containers are at ${host}, not on this machine`);
  }

  #id(): string {
    if (this.#container === null) throw new Error('the container has not started');
    return this.#container.getId();
  }

  async #runtime(
    use: (
      container: ReturnType<Awaited<ReturnType<(typeof import('testcontainers'))['getContainerRuntimeClient']>>['container']['getById']>,
    ) => Promise<unknown>,
  ): Promise<void> {
    const { getContainerRuntimeClient } = await import('testcontainers');
    await use((await getContainerRuntimeClient()).container.getById(this.#id()));
  }

  pause(): Promise<void> {
    return this.#runtime((container) => container.pause());
  }

  resume(): Promise<void> {
    return this.#runtime((container) => container.unpause());
  }

  stop(signal: EndSignal): Promise<void> {
    return this.#runtime(async (container) => {
      if (!(await container.inspect()).State.Running) return;
      const ended = container.wait();
      await container.kill({ signal });
      await ended;
    });
  }

  async remove(): Promise<void> {
    const container = this.#container;
    this.#container = null;
    await container?.stop({ timeout: 0, remove: true, removeVolumes: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const { names: there, problem } = await pull();
  process.stdout.write(`${there.join(' ')}\n`);
  // The run of the tests says the same of what it finds.
  if (problem?.includes('(') === true && there.length > 0) process.stderr.write(`${problem}\n`);
}
