import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { freePorts, Stack } from '../src/demo/stack.ts';
import { ServedSluice } from './support/serve.ts';
import { sluiceBeside as sluice } from './support/own-envoy.ts';

describe('sluice probe', () => {
  const simulator = new ProviderSimulator();
  let stack: Stack;

  beforeAll(async () => {
    stack = new Stack({
      policy: 'version: 1\ndefaults: { tiers: [simple], candidates: { simple: [gpt-5-nano] } }\n',
      endpoint: await simulator.listen(),
    });
    await stack.start();
  });
  afterAll(async () => {
    await stack.stop();
    await simulator.close();
  });

  it('finds the decision of a request through Envoy', async () => {
    const { out, code } = await sluice(['probe', '--url', stack.url]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^decision [0-9a-f-]{36}, answered with \d+\n$/)]);
  });

  it('passes before there is a policy, and says so', async () => {
    stack.writePolicy('version: 1\ndefaults: { mode: off }\n');
    const said = { code: 0, out: 'Sluice answers, and decides nothing: there is no policy, or its mode is off\n' };
    await expect.poll(() => sluice(['probe', '--url', stack.url]), { timeout: 30_000 }).toMatchObject(said);
  });

  it('fails when Sluice is dead, although Envoy lets requests pass', async () => {
    await stack.stopSluice('SIGKILL');
    const { out, code } = await sluice(['probe', '--url', stack.url]);
    expect([code, out]).toEqual([1, expect.stringMatching(/^no decision: \S+ answered \d+ without Sluice\n$/)]);
  });
});

it('asks a Sluice without Envoy as an Envoy would', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-probe-'));
  const [free] = await freePorts(1);
  const server = new ServedSluice(folder);
  try {
    await server.start('version: 1\ndefaults: { tiers: [simple], candidates: { simple: [gpt-5-nano] } }\n');
    const { out, code } = await sluice(['probe', '--ext-proc', `127.0.0.1:${server.port}`]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^decision [0-9a-f-]{36}\n$/)]);
    expect((await sluice(['probe', '--ext-proc', `127.0.0.1:${free!}`])).code).toBe(1);
    const off = new ServedSluice(mkdtempSync(join(folder, 'off-')));
    await off.start('version: 1\ndefaults: { mode: off }\n');
    const before = await sluice(['probe', '--ext-proc', `127.0.0.1:${off.port}`]);
    await off.stop();
    expect([before.code, before.out]).toEqual([0, expect.stringMatching(/^Sluice answers, and decides nothing: /)]);
    expect((await sluice(['probe', '--webhook', `https://127.0.0.1:${free!}/mutate/sidecar`])).code).toBe(1);
    expect((await sluice(['probe'])).code).toBe(2);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
