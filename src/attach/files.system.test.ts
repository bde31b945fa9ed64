import { allAbilities } from './abilities.ts';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled } from '../../test/support/policy.ts';
import { ProviderSimulator } from '../demo/simulator.ts';
import { freePorts } from '../demo/stack.ts';
import type { PolicySnapshot } from '../policy/types.ts';
import { findEnvoy } from './binary.ts';
import { drainEnvoy } from './drain.ts';
import { EnvoyFiles } from './files.ts';

const envoy = await findEnvoy();
const body = '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}';

describe.skipIf(envoy === null)('a running Envoy that reads the files', () => {
  let folder: string;
  let files: EnvoyFiles;
  let child: ChildProcess;
  let endpoint: string;
  let ports: number[];
  const simulator = new ProviderSimulator({ eventMs: 30 });

  const policy = (more = ''): PolicySnapshot =>
    compiled(`version: 1\nproviders:\n  openai: { endpoint: "${endpoint}" }\n${more}defaults: { mode: off }\n`);

  /** A new certificate for the providers' names, put in place as a mounted Secret's is. */
  function certify(name: string, host = 'api.openai.com', as = 'tls'): void {
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        join(folder, 'next.key'),
        '-out',
        join(folder, 'next.crt'),
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=DNS:${host}`,
        '-days',
        '3',
      ],
      { stdio: 'pipe' },
    );
    for (const end of ['key', 'crt']) renameSync(join(folder, `next.${end}`), join(folder, 'tls', `${as}.${end}`));
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-files-'));
    mkdirSync(join(folder, 'tls'));
    certify('first');
    certify('added', 'api.example.com', 'added');
    endpoint = await simulator.listen();
    ports = await freePorts(4);
    const [, admin, status, tls] = ports.map((port) => `127.0.0.1:${port}`) as [string, string, string, string];
    files = new EnvoyFiles({
      folder: join(folder, 'envoy'),
      sluice: `unix:${folder}/none.sock`,
      // As in a cluster with IPv6: the other tests call it by IPv4.
      listen: `[::]:${ports[0]!}`,
      admin,
      caFile: '/etc/ssl/certs/ca-certificates.crt',
      status,
      otlp: null,
      memoryBytes: null,
      abilities: allAbilities,
      usage: 'collect',
      tls: { listen: tls, folder: join(folder, 'tls'), added: true },
      spare: true,
    });
    await files.write(policy());
    child = spawn(
      envoy!,
      ['-c', files.bootstrap, '--use-dynamic-base-id', '--concurrency', '1', '--drain-strategy', 'immediate', '--log-level', 'off'],
      { stdio: 'ignore' },
    );
    for (let tries = 0; tries < 300 && (await fetch(`http://${status}/ready`).catch(() => null))?.status !== 200; tries++)
      await new Promise((resolve) => setTimeout(resolve, 50));
  });

  afterAll(async () => {
    child.kill('SIGKILL');
    await simulator.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const connectedTo = (port: number): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const socket = createConnection(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', reject);
    });

  const post = (path: string, more: object = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${ports[0]!}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...more }, body });

  it('listens on addresses of both kinds, and one port above', async () => {
    for (const host of ['127.0.0.1', '[::1]'])
      for (const port of [ports[0]!, ports[0]! + 1]) expect((await fetch(`http://${host}:${port}/elsewhere`)).status).toBe(404);
    await expect(connectedTo(ports[3]! + 1)).resolves.toBe(true);
  });

  it('serves a new provider without a restart, and cuts no stream for it', async () => {
    expect((await post('/local/v1/chat/completions')).status).toBe(404);
    const stream = await fetch(`http://127.0.0.1:${ports[0]!}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body.replace('{', '{"stream":true,'),
    });
    await files.write(policy(`  local: { dialect: openai, endpoint: "${endpoint}", pathPrefix: /local, catalog: openai }\n`));
    await expect.poll(async () => (await post('/local/v1/chat/completions')).status, { timeout: 10_000 }).toBe(200);
    expect(await stream.text()).toContain('[DONE]');
    await files.write(policy());
    await expect.poll(async () => (await post('/local/v1/chat/completions')).status, { timeout: 10_000 }).toBe(404);
  });

  it('answers for a provider under its own name, by a certificate that is renewed without a restart', async () => {
    const subject = (servername = 'api.openai.com'): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket: TLSSocket = connect({ port: ports[3]!, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        });
        socket.on('error', reject);
      });
    const status = await new Promise((resolve, reject) => {
      const call = request(
        {
          port: ports[3]!,
          host: '127.0.0.1',
          servername: 'api.openai.com',
          rejectUnauthorized: false,
          method: 'POST',
          path: '/v1/chat/completions',
          headers: { host: 'api.openai.com', 'content-type': 'application/json' },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      call.on('error', reject);
      call.end(body);
    });
    expect(status).toBe(200);
    expect(await subject()).toBe('first');
    expect(await subject('api.example.com')).toBe('added');
    certify('second');
    await expect.poll(() => subject(), { timeout: 10_000 }).toBe('second');
  });

  it('shows readiness and metrics, and nothing that changes Envoy', async () => {
    const call = async (path: string, method = 'GET'): Promise<number> =>
      (await fetch(`http://127.0.0.1:${ports[2]!}${path}`, { method })).status;
    expect([
      await call('/ready'),
      await call('/stats/prometheus'),
      await call('/quitquitquit', 'POST'),
      await call('/ready', 'POST'),
      await call('/config_dump'),
    ]).toEqual([200, 200, 404, 404, 404]);
  });

  it('drains: open streams go on to their end, connections close after their request', async () => {
    const admin = `127.0.0.1:${ports[1]!}`;
    const stream = await fetch(`http://127.0.0.1:${ports[0]!}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body.replace('{', '{"stream":true,'),
    });
    expect(await drainEnvoy(admin, { leastMs: 0, mostMs: 0 })).toBe(1);
    expect((await post('/v1/chat/completions')).headers.get('connection')).toBe('close');
    expect(await stream.text()).toContain('[DONE]');
    expect(await drainEnvoy(admin, { leastMs: 0, mostMs: 10_000 })).toBe(0);
    await expect(drainEnvoy('127.0.0.1:1', { leastMs: 0, mostMs: 0 })).rejects.toMatchObject({ code: 'SLUICE_ENVOY_ADMIN' });
  });

  it('says which folder cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const broken = new EnvoyFiles({
      folder: join(folder, 'file'),
      sluice: 'unix:/x',
      listen: '127.0.0.1:1',
      admin: '127.0.0.1:2',
      caFile: '/x',
      status: null,
      otlp: null,
      memoryBytes: null,
      abilities: allAbilities,
      usage: 'collect',
      tls: null,
      spare: false,
    });
    await expect(broken.write(policy())).rejects.toMatchObject({ code: 'SLUICE_ENVOY_FILES', where: join(folder, 'file') });
  });
});
