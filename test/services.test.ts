/* eslint-disable @typescript-eslint/no-unsafe-member-access -- Envoy's config: its shape is Envoy's, and the tests change all of it */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { requireEnvoy } from '../src/attach/binary.ts';
import { freePorts } from '../src/demo/stack.ts';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { sluiceBeside, type Any } from './support/own-envoy.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const deployed = (file: string): string => readFileSync(join(root, 'deploy', file), 'utf8');
const children: ChildProcess[] = [];
const folders: string[] = [];

afterEach(async () => {
  await Promise.all(
    children.splice(0).map(
      (child) =>
        new Promise((resolve) => {
          child.once('exit', resolve);
          if (child.exitCode !== null || !child.kill('SIGKILL')) resolve(null);
        }),
    ),
  );
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Runs the commands of two services with the places of this machine, and asks one request of them. */
async function runs(sluice: readonly string[], envoy: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-service-'));
  folders.push(folder);
  for (const name of ['run', 'lib', 'etc']) mkdirSync(join(folder, name));
  const simulator = new ProviderSimulator();
  const endpoint = await simulator.listen();
  writeFileSync(
    join(folder, 'etc/policy.yaml'),
    `version: 1\nproviders: { openai: { endpoint: "${endpoint}" } }\ndefaults: { candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-nano], complex: [openai/gpt-5-nano] } }\n`,
  );
  const [listen, envoyAdmin, admin] = await freePorts(3);
  const here = (text: string): string =>
    text
      .replaceAll('/run/sluice', join(folder, 'run'))
      .replaceAll('/var/lib/sluice', join(folder, 'lib'))
      .replaceAll('/etc/sluice', join(folder, 'etc'))
      .replaceAll(/(?:0\.0\.0\.0|127\.0\.0\.1):10000/g, `127.0.0.1:${listen!}`)
      .replaceAll('127.0.0.1:9902', `127.0.0.1:${envoyAdmin!}`)
      .replaceAll(/(?:0\.0\.0\.0|127\.0\.0\.1):9901/g, `127.0.0.1:${admin!}`);
  const start = (command: string, args: readonly string[]): void => void children.push(spawn(command, args.map(here), { stdio: 'ignore' }));
  start(join(root, 'bin/sluice'), sluice);
  await expect.poll(() => existsSync(join(folder, 'run/envoy/bootstrap.json')), { timeout: 20_000 }).toBe(true);
  start(await requireEnvoy(), [...envoy, '--use-dynamic-base-id', '--concurrency', '1']);
  const ask = (): Promise<string | null> =>
    fetch(`http://127.0.0.1:${listen!}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: 'What is a CDN?' }] }),
    }).then(
      (answer) => answer.headers.get('x-sluice-model'),
      () => null,
    );
  await expect.poll(ask, { timeout: 20_000, interval: 250 }).toBe('gpt-5-nano');
  const { out, code } = await sluiceBeside(['doctor', '--admin', `127.0.0.1:${admin!}`, '--json']);
  expect([
    code,
    (JSON.parse(out) as { checks: { state: string }[] }).checks.filter(({ state }) => state === 'error' || state === 'skipped'),
  ]).toEqual([0, []]);
  await simulator.close();
}

function execStart(unit: string): string[] {
  return /^ExecStart=(.*)$/m.exec(unit)![1]!.split(' ');
}

describe('the services in deploy/', () => {
  it('are units whose commands decide requests', async () => {
    const [program, ...sluice] = execStart(deployed('systemd/sluice.service'));
    const [, ...envoy] = execStart(deployed('systemd/sluice-envoy.service'));
    expect(program).toBe('/opt/sluice/bin/sluice');
    await runs(sluice, envoy);
  });

  it.skipIf(!existsSync('/usr/bin/systemd-analyze'))('are units that systemd understands', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-units-'));
    folders.push(folder);
    const files = ['sluice.service', 'sluice-envoy.service'].map((name) => {
      const file = join(folder, name);
      // The programs need not be where the units have them.
      writeFileSync(
        file,
        deployed(`systemd/${name}`).replaceAll('/opt/sluice/bin/sluice', '/bin/true').replaceAll('/usr/local/bin/envoy', '/bin/true'),
      );
      return file;
    });
    const said = execFileSync('/bin/sh', ['-c', 'systemd-analyze verify "$@" 2>&1 || true', 'sh', ...files]).toString();
    expect(said.split('\n').filter((line) => line.includes(folder) || /sluice/.test(line))).toEqual([]);
  });

  it('are containers whose commands decide requests', async () => {
    const { services, volumes } = parse(deployed('compose/compose.yaml')) as Any;
    expect(Object.keys(volumes as object)).toEqual(['run']);
    expect(services['envoy'].network_mode).toBe('service:sluice');
    await runs(services['sluice'].command as string[], services['envoy'].command as string[]);
  });
});
