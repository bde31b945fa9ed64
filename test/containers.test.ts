import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePorts } from '../src/demo/stack.ts';
import { dockerAddress, found, images, pull, variable } from './support/containers.ts';
import { DockerStandIn } from './support/docker-stand-in.ts';
import { postgresInstalled, TestPostgres } from './support/postgres.ts';
import { TestCluster } from './support/redis-cluster.ts';
import { binaries, TestRedis } from './support/redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-docker-'));
const socket = join(folder, 'docker.sock');
const env = { DOCKER_HOST: `unix://${socket}` };
let docker: DockerStandIn;

beforeAll(async () => {
  vi.stubEnv('DOCKER_HOST', env.DOCKER_HOST);
  // The container that ends the others after a crash of the tests is Docker's to run.
  vi.stubEnv('TESTCONTAINERS_RYUK_DISABLED', 'true');
  docker = await DockerStandIn.listen(socket);
});

afterAll(async () => {
  await docker.close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

async function command(redis: TestRedis, ...words: [string, ...string[]]): Promise<string> {
  const client = new Redis(redis.url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null, commandTimeout: 300 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return String(await client.call(...words));
  } catch (error) {
    return (error as Error).message;
  } finally {
    client.disconnect();
  }
}

describe.skipIf(binaries.redis === null)('a server of tests in a container (skipped where no redis-server stands in for the image)', () => {
  beforeAll(() => vi.stubEnv(variable, 'redis,postgres'));

  it('starts, pauses, is killed, starts again on its port, and is removed', async () => {
    const redis = await TestRedis.start();
    const [container] = [...docker.containers.values()];
    expect(container?.body).toMatchObject({
      Image: images.redis,
      HostConfig: { PortBindings: { [`${redis.port}/tcp`]: [{ HostPort: String(redis.port) }] } },
    });
    expect(await command(redis, 'PING')).toBe('PONG');
    await redis.pause();
    expect(await command(redis, 'PING')).toMatch(/timed out|closed/);
    await redis.resume();
    expect(await command(redis, 'PING')).toBe('PONG');
    await redis.stop();
    expect(await command(redis, 'PING')).toMatch(/closed|ECONNREFUSED/);
    await redis.restart();
    expect(await command(redis, 'PING')).toBe('PONG');
    await redis.remove();
    expect(docker.containers.size).toBe(0);
  });

  it('has its files, and shares a network with those beside it', async () => {
    const [port] = await freePorts(1);
    const redis = await TestRedis.start({ opens: [port!] });
    const sentinel = await TestRedis.start({
      port: port!,
      beside: redis,
      files: { 'sentinel.conf': `port ${port}\nsentinel monitor main 127.0.0.1 ${redis.port} 1\n` },
      args: () => ['sentinel.conf', '--sentinel'],
    });
    const [first, second] = [...docker.containers.values()];
    expect(second!.body.HostConfig?.NetworkMode).toBe(`container:${first!.id}`);
    expect(await command(sentinel, 'SENTINEL', 'get-master-addr-by-name', 'main')).toBe(`127.0.0.1,${redis.port}`);
    await sentinel.remove();
    await redis.remove();
    const cluster = await TestCluster.start(2, 'redis');
    expect(await cluster.keys('*')).toEqual([[], []]);
    await cluster.stop();
    expect(docker.containers.size).toBe(0);
  });

  it.skipIf(!postgresInstalled)('keeps its data over a crash (PostgreSQL)', async () => {
    const postgres = await TestPostgres.start();
    expect(docker.containers.size).toBe(1);
    await postgres.query('CREATE TABLE kept AS SELECT 7 AS value');
    await postgres.stop('immediate');
    await expect(postgres.query('SELECT 1')).rejects.toThrow();
    await postgres.restart();
    expect(await postgres.query('SELECT value FROM kept')).toEqual([{ value: 7 }]);
    await postgres.remove();
    expect(docker.containers.size).toBe(0);
  });

  it('is the installed one, and a line says so, when the container does not start', async () => {
    docker.has.delete(images.redis);
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const redis = await TestRedis.start();
      expect(await command(redis, 'PING')).toBe('PONG');
      expect(docker.containers.size).toBe(0);
      expect(said.mock.calls.map(([line]) => String(line))).toEqual([
        expect.stringMatching(/^redis: no container \(.*\); the installed server is used\n$/),
      ]);
      await redis.remove();
    } finally {
      said.mockRestore();
      docker.has.add(images.redis);
    }
  });
});

describe('the look for Docker', () => {
  let silent: Server | null = null;
  afterEach(() => {
    silent?.close();
    silent = null;
  });

  it('finds the images that are there, and says which are not', async () => {
    expect(await found(env)).toEqual({ names: ['redis', 'valkey', 'postgres', 'clickhouse'], problem: null });
    docker.has.delete(images.valkey);
    expect(await found(env)).toEqual({ names: ['redis', 'postgres', 'clickhouse'], problem: `Docker does not have ${images.valkey}` });
    docker.has.add(images.valkey);
  });

  it('has images pulled, and says why one cannot be had', async () => {
    docker.has.delete(images.valkey);
    docker.has.delete(images.postgres);
    docker.registry.add(images.postgres);
    expect(await pull(env)).toEqual({
      names: ['redis', 'postgres', 'clickhouse'],
      problem: `Docker does not have ${images.valkey} (pull access denied for ${images.valkey})`,
    });
    docker.has.add(images.valkey);
  });

  it('costs nothing where there is none', async () => {
    const asked = performance.now();
    expect(await found({ HOME: folder })).toEqual(
      dockerAddress({ HOME: folder }) === null ? { names: [], problem: null } : (expect.anything() as unknown),
    );
    expect(performance.now() - asked).toBeLessThan(10_000);
  });

  it('says why one that is there is not used', async () => {
    const dead = { DOCKER_HOST: `unix://${join(folder, 'nobody.sock')}` };
    expect(await found(dead)).toEqual({ names: [], problem: expect.stringMatching(/^Docker is not usable \(.*ENOENT/) as string });
    expect(await pull(dead)).toEqual(await found(dead));
    const hangs = join(folder, 'hangs.sock');
    silent = createServer();
    await new Promise<void>((resolve) => silent!.listen(hangs, resolve));
    expect(await found({ DOCKER_HOST: `unix://${hangs}` })).toEqual({ names: [], problem: 'Docker is not usable (no answer in 2 s)' });
    expect(await found({ DOCKER_HOST: 'tcp://elsewhere.example:2375' })).toEqual({
      names: [],
      problem: 'Docker at tcp://elsewhere.example:2375 is not on this machine',
    });
  });
});
