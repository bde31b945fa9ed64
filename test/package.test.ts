import { credentials, loadPackageDefinition, type ChannelCredentials, type Client } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberedBody } from '../bench/bodies.ts';
import { Driver, ExchangePlan } from '../bench/direct/driver.ts';
import { nodeFlags } from '../src/lib/node-flags.ts';
import { freePorts } from '../src/demo/stack.ts';
import { findEnvoy } from '../src/attach/binary.ts';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('..', import.meta.url));
const envoy = await findEnvoy();

/** The package as npm installs it somewhere else: unpacked from its archive, with its one dependency beside it. */
describe('the built package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-package-'));
  const modules = join(folder, 'node_modules');
  const installed = join(modules, 'sluice');
  const sluice = join(installed, 'bin/sluice');
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    await run(process.execPath, [join(repository, 'scripts/build.ts'), '--out', join(folder, 'built')], { maxBuffer: 16 * 1024 * 1024 });
    await run('npm', ['pack', '--silent', join(folder, 'built'), '--pack-destination', folder], {
      cwd: folder,
      env: { ...process.env, npm_config_cache: join(folder, 'npm') },
    });
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', [
      '-xzf',
      join(
        folder,
        readdirSync(folder).find((name) => name.endsWith('.tgz'))!,
      ),
      '--strip-components=1',
      '-C',
      installed,
    ]);
    cpSync(join(repository, 'node_modules/better-sqlite3'), join(modules, 'better-sqlite3'), { recursive: true });
    mkdirSync(join(modules, '.bin'));
    symlinkSync('../sluice/bin/sluice', join(modules, '.bin/sluice'));
  });

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** The Node that runs the tests, which may not be the one on PATH. */
  const env = { ...process.env, PATH: `${join(repository, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` };

  it('depends on native code alone, runs no scripts when it is installed, and names the licences of what is in it', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Readonly<Record<string, object>>;
    expect(Object.keys(manifest['dependencies']!)).toEqual(['better-sqlite3']);
    expect(manifest['scripts']).toBeUndefined();
    const licences = readFileSync(join(installed, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
    for (const name of JSON.parse(readFileSync(join(installed, 'bundled.json'), 'utf8')) as readonly string[])
      expect(licences).toContain(`\n${name.replace(/^.*node_modules\//, '')} `.slice(1));
  });

  it('knows nothing of the folder that it was built in', () => {
    const files = readdirSync(installed, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && !entry.name.endsWith('.code'),
    );
    const named = files.map((entry) => join(entry.parentPath, entry.name)).filter((file) => readFileSync(file).includes(repository));
    expect(named).toEqual([]);
    expect(files.some(({ name }) => name.endsWith('.ts'))).toBe(false);
  });

  it('answers as the sources do', async () => {
    const policy = join(folder, 'policy.yaml');
    writeFileSync(policy, 'version: 1\ndefaults:\n  tiers: [simple]\n  candidates: { simple: [openai/no-such-model] }\n');
    const said = (program: readonly string[], args: readonly string[]): Promise<string> =>
      run(program[0]!, [...program.slice(1), ...args], { env }).then(
        ({ stdout, stderr }) => stdout + stderr,
        (error: unknown) => failureOf(error as Failure),
      );
    for (const args of [
      ['--version'],
      ['--help'],
      ['validate', policy],
      ['render', 'envoy'],
      ['classify', '--no-such-flag'],
      ['explain', '--file', join(folder, 'nothing.json')],
    ]) {
      expect(await said([join(modules, '.bin/sluice')], args)).toBe(
        await said([process.execPath, join(repository, 'src/cli/index.ts')], args),
      );
    }
  });

  it('takes the code that was made when it was built, of all threads', () => {
    for (const name of ['sluice', 'ledger-worker', 'body-worker']) {
      const file = join(installed, 'code', name, `${name}.cjs`);
      const script = `const { Script } = require('node:vm'); const { readFileSync } = require('node:fs');
        process.stdout.write(String(new Script(readFileSync(process.argv[1], 'latin1'), { cachedData: readFileSync(process.argv[1] + '.code') }).cachedDataRejected));`;
      expect(execFileSync(process.execPath, [...nodeFlags, '--eval', script, file], { encoding: 'utf8' })).toBe('false');
    }
  });

  it('serves, decides, and keeps what it decided, with large bodies on their thread', async () => {
    const [admin] = await freePorts(1);
    const [socket, ledger] = [join(folder, 's.sock'), join(folder, 'ledger.db')];
    const child = spawn(
      sluice,
      [
        'serve',
        '--listen',
        `unix:${socket}`,
        '--admin',
        `127.0.0.1:${admin!}`,
        '--log',
        join(folder, 'log'),
        '--ledger',
        ledger,
        '--budgets',
        'off',
        '--policy-kept',
        'off',
        '--grace',
        '2',
        '--max-delay',
        '0',
      ],
      { env, stdio: ['ignore', 'inherit', 'inherit'] },
    );
    children.push(child);
    await until(async () => (await fetch(`http://127.0.0.1:${admin!}/readyz`).catch(() => null))?.ok === true);
    const driver = await Driver.connect(socket);
    const results = [
      ...(await driver.run(new ExchangePlan(numberedBody(1_024)), 5, 1)),
      ...(await driver.run(new ExchangePlan(numberedBody(1_024 * 1_024)), 1, 1)),
    ];
    driver.close();
    expect(results.map(({ decided }) => decided)).toEqual(Array(6).fill(true));
    for (const path of ['/', '/page/chart.umd.min.js', '/metrics'])
      expect([path, (await fetch(`http://127.0.0.1:${admin!}${path}`)).status]).toEqual([path, 200]);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await gone).toBe(0);
    const { stdout } = await run(sluice, ['ledger', 'verify', '--ledger', ledger], { env });
    // The first row and the last are the writer's own.
    expect(stdout).toMatch(/^8 rows .* everything holds/);
  });

  it('serves over TCP too, with the health service that Kubernetes and Envoy ask', async () => {
    const [port, admin] = await freePorts(2);
    const child = spawn(
      sluice,
      [
        'serve',
        '--listen',
        `127.0.0.1:${port!}`,
        '--admin',
        `127.0.0.1:${admin!}`,
        '--log',
        join(folder, 'tcp-log'),
        '--ledger',
        'off',
        '--budgets',
        'off',
        '--policy-kept',
        'off',
        '--grace',
        '1',
      ],
      { env, stdio: ['ignore', 'inherit', 'inherit'] },
    );
    children.push(child);
    await until(async () => (await fetch(`http://127.0.0.1:${admin!}/readyz`).catch(() => null))?.ok === true);
    const definition = loadPackageDefinition(
      loadSync('health/v1/health.proto', { includeDirs: [join(repository, 'node_modules/grpc-health-check/proto')] }),
    ) as unknown as {
      readonly grpc: {
        readonly health: {
          readonly v1: {
            readonly Health: new (
              address: string,
              credentials: ChannelCredentials,
            ) => Client & { Check(request: object, done: (error: Error | null, answer?: { readonly status: number }) => void): void };
          };
        };
      };
    };
    const client = new definition.grpc.health.v1.Health(`127.0.0.1:${port!}`, credentials.createInsecure());
    expect(
      await new Promise((resolve, reject) =>
        client.Check({ service: '' }, (error, answer) => (error === null ? resolve(answer?.status) : reject(error))),
      ),
    ).toBe(1);
    client.close();
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  });

  it.skipIf(envoy === null)('runs the demo', async () => {
    const { stdout } = await run(join(modules, '.bin/sluice'), ['demo', '--once'], {
      cwd: folder,
      env: { ...env, ENVOY_BIN: envoy! },
      maxBuffer: 16 * 1024 * 1024,
    });
    expect(stdout.split('\n').filter((line) => /^[·≈] /.test(line)).length).toBeGreaterThanOrEqual(30);
    expect(stdout).toMatch(/saved \$\d/);
  });
});

interface Failure {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const failureOf = ({ code, stdout, stderr }: Failure): string => `${code}: ${stdout}${stderr}`;

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('not ready in time');
}
