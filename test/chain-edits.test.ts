import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../src/demo/stack.ts';
import { findEnvoy } from '../src/attach/binary.ts';
import { ScriptedProvider, type Behaviour } from './support/scripted-provider.ts';
import { entry } from './support/entry.ts';

const envoy = await findEnvoy();

/** The first target of every chain fails, after a while: attempts are under way whenever the policy changes. */
const firstFails: Behaviour = async (got, response, answer) => {
  if (got.model !== 'gpt-4.1-nano') return answer();
  await new Promise((resolve) => setTimeout(resolve, 30));
  response.writeHead(500, { 'content-type': 'application/json' });
  response.end('{"error":{"message":"no"}}');
};

describe.skipIf(envoy === null)('edits of the policy while chains run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-edits-'));
  const openai = new ScriptedProvider();
  const late = new ScriptedProvider();
  const children: ChildProcess[] = [];
  let endpoints: Readonly<Record<'openai' | 'late', string>>;
  let url: string;

  /** Targets after the first; one of `late` brings that provider with it. */
  function write(targets: readonly string[]): void {
    const more = targets.some((target) => target.startsWith('late/'))
      ? `\n  late: { dialect: openai, endpoint: "${endpoints.late}", catalog: openai, credentialFile: "${join(folder, 'key')}" }`
      : '';
    const text = `
version: 1
providers:
  openai: { endpoint: "${endpoints.openai}" }${more}
defaults:
  ${more === '' ? '' : 'allowProviders: [late]'}
  candidates: { simple: [openai/gpt-4.1-nano], standard: [openai/gpt-4.1-mini], complex: [openai/gpt-4.1] }
  fallback: { tiers: { simple: [${targets.join(', ')}] }, on: [server-error] }
`;
    writeFileSync(join(folder, 'policy', 'policy.yaml'), text);
  }

  async function ready(address: string, log: string): Promise<void> {
    for (let tries = 0; tries < 400; tries++) {
      if (
        await fetch(address).then(
          (response) => response.ok,
          () => false,
        )
      )
        return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(readFileSync(join(folder, log), 'utf8').slice(-2_000));
  }

  function start(log: string, command: string, args: readonly string[]): void {
    const to = openSync(join(folder, log), 'a');
    children.push(spawn(command, args, { stdio: ['ignore', to, to] }));
  }

  beforeAll(async () => {
    endpoints = { openai: await openai.listen(), late: await late.listen() };
    openai.behaviour = firstFails;
    mkdirSync(join(folder, 'policy'));
    writeFileSync(join(folder, 'key'), 'key-of-late');
    write(['openai/gpt-4.1-mini']);
    const [listen, envoyAdmin, admin] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`) as [string, string, string];
    url = `http://${listen}`;
    start('sluice.log', process.execPath, [
      entry,
      'serve',
      '--policy',
      join(folder, 'policy'),
      '--listen',
      `unix:${join(folder, 'sluice.sock')}`,
      '--admin',
      admin,
      '--ledger',
      'off',
      '--envoy-config',
      join(folder, 'envoy'),
      '--envoy-listen',
      listen,
      '--envoy-admin',
      envoyAdmin,
    ]);
    await ready(`http://${admin}/readyz`, 'sluice.log');
    start('envoy.log', envoy!, [
      '-c',
      join(folder, 'envoy', 'bootstrap.json'),
      '--use-dynamic-base-id',
      '--concurrency',
      '2',
      '--log-level',
      'warning',
    ]);
    await ready(`http://${envoyAdmin}/ready`, 'envoy.log');
  });

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all([openai.close(), late.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('bring a new provider into the chains of a running Envoy and take it out again, and no request fails', async () => {
    const client = new OpenAI({
      apiKey: 'sk-app',
      baseURL: `${url}/v1`,
      maxRetries: 0,
      defaultHeaders: { 'content-type': 'application/json' },
    });
    let stop = false;
    let sent = 0;
    let current = '';
    const failures: string[] = [];
    const app = async (): Promise<void> => {
      while (!stop) {
        sent++;
        try {
          const { response } = await client.chat.completions
            .create({ model: 'gpt-4.1', messages: [{ role: 'user', content: 'What is a CDN?' }] })
            .withResponse();
          current = response.headers.get('x-sluice-model') ?? '';
        } catch (error) {
          failures.push(String(error));
        }
      }
    };
    const apps = Array.from({ length: 8 }, app);
    try {
      for (let round = 0; round < 3; round++) {
        write(['late/gpt-4.1', 'openai/gpt-4.1-mini']);
        await expect.poll(() => current, { timeout: 15_000, interval: 5 }).toBe('gpt-4.1');
        write(['openai/gpt-4.1-mini']);
        await expect.poll(() => current, { timeout: 15_000, interval: 5 }).toBe('gpt-4.1-mini');
      }
    } finally {
      stop = true;
      await Promise.all(apps);
    }
    expect({ failures: failures.slice(0, 5), failed: failures.length }).toEqual({ failures: [], failed: 0 });
    // Every app had a request under way in each round; how many there were is up to the machine.
    expect(sent).toBeGreaterThanOrEqual(apps.length);
    expect(late.got.length).toBeGreaterThan(0);
    expect(late.got.every(({ headers }) => headers.authorization === 'Bearer key-of-late')).toBe(true);
  });
});
