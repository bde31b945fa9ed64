import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { bridge, python } from './clickhouse.ts';
import { images } from './containers.ts';
import { initdb } from './postgres.ts';
import { binaries } from './redis.ts';

interface CreateBody {
  readonly Image: string;
  readonly Cmd?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
  readonly HostConfig?: {
    readonly NetworkMode?: string;
    readonly PortBindings?: Readonly<Record<string, readonly { HostPort: string }[]>>;
  };
}

interface Container {
  readonly id: string;
  readonly body: CreateBody;
  readonly folder: string;
  readonly output: PassThrough;
  process: ChildProcess | null;
  paused: boolean;
}

interface Exec {
  readonly command: readonly string[];
  exitCode: number | null;
}

/**
 * What the tests' containers need of Docker's HTTP interface, on a Unix socket, where there is no Docker: a "container" is a process of the
 * server that is installed here. It isolates nothing. `node test/support/docker-stand-in.ts SOCKET` serves until it is ended.
 */
export class DockerStandIn {
  /** Images that it says it has. */
  readonly has = new Set<string>(Object.values(images));
  /** Images that can be pulled. */
  readonly registry = new Set<string>();
  /** The containers that are there. */
  readonly containers = new Map<string, Container>();
  readonly #execs = new Map<string, Exec>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((asked, response) => {
      this.#answer(asked, response).catch((error: unknown) => reply(response, 500, { message: String(error) }));
    });
  }

  static async listen(socket: string): Promise<DockerStandIn> {
    const docker = new DockerStandIn();
    await new Promise<void>((resolve) => docker.#server.listen(socket, resolve));
    return docker;
  }

  async close(): Promise<void> {
    for (const { id } of this.containers.values()) await this.#remove(id);
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(asked.url ?? '/', 'http://docker');
    const parts = url.pathname
      .replace(/^\/v[\d.]+/, '')
      .split('/')
      .slice(1)
      .map(decodeURIComponent);
    const [kind, id = '', ...rest] = parts;
    if (kind === '_ping') return reply(response, 200, 'OK');
    if (kind === 'info') return reply(response, 200, { OperatingSystem: 'none', OSType: 'linux', ServerVersion: 'stand-in' });
    // Asked for where the tests themselves run in a container: ports are on this machine.
    if (kind === 'networks') return reply(response, 200, { IPAM: { Config: [{ Gateway: '127.0.0.1' }] } });
    if (kind === 'images') return this.#image(parts.slice(1).join('/'), url, response);
    if (kind === 'exec') return this.#exec(id, rest[0] ?? '', response);
    if (kind !== 'containers') return reply(response, 404, { message: `no ${url.pathname} here` });
    if (id === 'json') return reply(response, 200, []);
    if (id === 'create') return this.#create((await json(asked)) as CreateBody, response);
    const container = this.containers.get(id);
    if (container === undefined) return reply(response, 404, { message: `No such container: ${id}` });
    return this.#use(container, rest[0] ?? '', { asked, url, response });
  }

  #image(path: string, url: URL, response: ServerResponse): void {
    if (path !== 'create') {
      const there = this.has.has(path.replace(/\/json$/, ''));
      return reply(response, there ? 200 : 404, there ? { Id: path } : { message: `No such image: ${path}` });
    }
    const image = `${url.searchParams.get('fromImage')}:${url.searchParams.get('tag')}`;
    // As Docker does: what fails after it began is a line of the body.
    if (!this.registry.has(image)) return reply(response, 200, { error: `pull access denied for ${image}` });
    this.has.add(image);
    return reply(response, 200, { status: 'Pull complete' });
  }

  #create(body: CreateBody, response: ServerResponse): void {
    if (!this.has.has(body.Image)) return reply(response, 404, { message: `No such image: ${body.Image}` });
    const id = randomBytes(32).toString('hex');
    const folder = mkdtempSync(join(tmpdir(), 'sluice-container-'));
    this.containers.set(id, { id, body, folder, output: new PassThrough(), process: null, paused: false });
    return reply(response, 201, { Id: id, Warnings: [] });
  }

  async #use(
    container: Container,
    what: string,
    { asked, url, response }: { asked: IncomingMessage; url: URL; response: ServerResponse },
  ): Promise<void> {
    const { id, process: running } = container;
    switch (asked.method === 'DELETE' ? 'remove' : what) {
      case 'json':
        return reply(response, 200, inspect(container));
      case 'archive':
        await unpack(asked, container.folder);
        return reply(response, 200, '');
      case 'start':
        start(container);
        return reply(response, 204, '');
      case 'pause':
      case 'unpause':
        container.paused = what === 'pause';
        running?.kill(container.paused ? 'SIGSTOP' : 'SIGCONT');
        return reply(response, 204, '');
      case 'stop':
      case 'kill':
        if (running === null) return reply(response, what === 'stop' ? 304 : 409, { message: 'not running' });
        running.kill((what === 'kill' ? (url.searchParams.get('signal') ?? 'SIGKILL') : 'SIGKILL') as NodeJS.Signals);
        if (what === 'stop') await ended(container);
        return reply(response, 204, '');
      case 'wait':
        // The headers first, as Docker does: who waits knows by them that the end will not be missed.
        response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
        await ended(container);
        response.end('{"StatusCode":0}');
        return;
      case 'logs':
        response.writeHead(200, { 'content-type': 'application/vnd.docker.multiplexed-stream' });
        container.output.on('data', (chunk: Buffer) => response.write(frame(chunk)));
        return;
      case 'exec': {
        const { Cmd } = (await json(asked)) as { Cmd: readonly string[] };
        const execId = randomBytes(32).toString('hex');
        this.#execs.set(execId, { command: Cmd, exitCode: null });
        return reply(response, 201, { Id: execId });
      }
      case 'remove':
        await this.#remove(id);
        return reply(response, 204, '');
      default:
        return reply(response, 404, { message: `no ${what} here` });
    }
  }

  async #exec(id: string, what: string, response: ServerResponse): Promise<void> {
    const exec = this.#execs.get(id);
    if (exec === undefined) return reply(response, 404, { message: `No such exec: ${id}` });
    if (what === 'json') return reply(response, 200, { ExitCode: exec.exitCode, Running: exec.exitCode === null });
    const [command, ...args] = exec.command;
    const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    response.writeHead(200, { 'content-type': 'application/vnd.docker.multiplexed-stream' }).flushHeaders();
    child.stdout.on('data', (chunk: Buffer) => response.write(frame(chunk)));
    child.stderr.on('data', (chunk: Buffer) => response.write(frame(chunk)));
    exec.exitCode = await new Promise<number>((resolve) => {
      child.once('error', () => resolve(127));
      child.once('close', (code) => resolve(code ?? 137));
    });
    response.end();
  }

  async #remove(id: string): Promise<void> {
    const container = this.containers.get(id);
    this.containers.delete(id);
    if (container === undefined) return;
    container.process?.kill('SIGKILL');
    await ended(container);
    rmSync(container.folder, { recursive: true, force: true });
  }
}

function reply(response: ServerResponse, status: number, body: object | string): void {
  if (typeof body === 'string') response.writeHead(status).end(body);
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** A piece of output, as Docker marks it. */
function frame(chunk: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt32BE(chunk.length, 4);
  return Buffer.concat([head, chunk]);
}

function inspect({ id, body, process: running, paused }: Container): object {
  const ports = Object.entries(body.HostConfig?.PortBindings ?? {});
  return {
    Id: id,
    Name: `/${id.slice(0, 12)}`,
    Config: { Hostname: id.slice(0, 12), Labels: body.Labels ?? {}, Image: body.Image },
    HostConfig: body.HostConfig ?? {},
    State: {
      Status: paused ? 'paused' : running === null ? 'exited' : 'running',
      Running: running !== null,
      StartedAt: new Date().toISOString(),
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    NetworkSettings: {
      Networks: {},
      Ports: Object.fromEntries(ports.map(([port, to]) => [port, to.map(({ HostPort }) => ({ HostIp: '0.0.0.0', HostPort }))])),
    },
  };
}

async function ended({ process: running }: Container): Promise<void> {
  if (running === null || running.exitCode !== null || running.signalCode !== null) return;
  await new Promise((resolve) => running.once('exit', resolve));
}

/** The files of `/data`. */
async function unpack(archive: IncomingMessage, folder: string): Promise<void> {
  const tar = spawn('tar', ['-x', '--strip-components=1', '-C', folder], { stdio: ['pipe', 'ignore', 'ignore'] });
  const closed = new Promise((resolve) => tar.once('close', resolve));
  await pipeline(archive, tar.stdin);
  await closed;
}

function start(container: Container): void {
  const { command, args, user } = program(container);
  const running = spawn(command, args, { cwd: container.folder, stdio: ['pipe', 'pipe', 'pipe'], ...user });
  container.process = running;
  running.once('error', () => (container.process = null));
  running.once('exit', () => (container.process = null));
  for (const output of [running.stdout, running.stderr]) output.on('data', (chunk: Buffer) => container.output.write(chunk));
}

/** What is installed here instead of the image. */
function program({ body, folder }: Container): { command: string; args: readonly string[]; user?: { uid: number; gid: number } } {
  const args = body.Cmd ?? [];
  switch (body.Image) {
    case images.redis:
      return { command: binaries.redis!, args };
    case images.valkey:
      return { command: binaries.valkey!, args };
    case images.postgres: {
      const { command, args: own, user } = initdb(folder);
      return { command, args: [...own, ...args.slice(1)], ...(user === null ? {} : { user }) };
    }
    case images.clickhouse:
      return { command: python, args: [bridge, body.HostConfig!.PortBindings!['8123/tcp']![0]!.HostPort, join(folder, 'data')] };
    default:
      throw new Error(`nothing is installed here for ${body.Image}`);
  }
}

if (process.argv[1] === import.meta.filename) {
  const docker = await DockerStandIn.listen(process.argv[2]!);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void docker.close().then(() => process.exit(0)));
}
