import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';

const simulator = new ProviderSimulator();
let stack: Stack;

beforeAll(async () => {
  stack = new Stack({
    policy: 'version: 1\n',
    endpoint: await simulator.listen(),
    serve: ['--workers', '2', '--max-delay', '0'],
    // A worker that was just started may be slow on a busy machine: whether it gets requests is the question here.
    messageTimeout: '10s',
  });
  await stack.start();
  await vi.waitFor(async () => expect(await pids()).toHaveLength(2), { timeout: 60_000 });
});

afterAll(async () => {
  await stack.stop();
  await simulator.close();
});

async function pids(): Promise<number[]> {
  const { workers } = (await (await fetch(`${stack.adminUrl}/workers`)).json()) as {
    readonly workers: readonly { readonly pid: number }[];
  };
  return workers.map(({ pid }) => pid);
}

/** One request over a connection of its own, which Envoy's threads take at random: its status, and whether Sluice saw it. */
function ask(): Promise<readonly [number, boolean]> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${stack.url}/v1/chat/completions`,
      { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } },
      (response) => {
        response.resume();
        response.on('end', () => resolve([response.statusCode ?? 0, response.headers['x-sluice-decision'] !== undefined]));
      },
    );
    sent.on('error', reject);
    sent.end('{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}');
  });
}

/** Requests that were decided and recorded, by worker. */
async function recorded(): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`${stack.adminUrl}/metrics`)).text();
  const sums: Record<string, number> = {};
  for (const [, worker, value] of text.matchAll(/^llm_proxy_request_total\{worker="(\d)"[^}]*\} (\d+)/gm))
    sums[worker!] = (sums[worker!] ?? 0) + Number(value);
  return sums;
}

describe('two workers behind one Envoy', () => {
  it('share the requests, and each request is decided and recorded by one of them', async () => {
    const shared = async (): Promise<boolean> => {
      for (let turn = 0; turn < 20; turn++) expect(await ask()).toEqual([200, true]);
      return Object.values(await recorded()).filter((count) => count > 0).length === 2;
    };
    await expect.poll(shared, { timeout: 30_000 }).toBe(true);
    // Usage comes with Envoy's log, over another stream than the request: it found the worker that waits for it.
    const { decisions } = (await (await fetch(`${stack.adminUrl}/decisions?limit=20`)).json()) as {
      readonly decisions: readonly { readonly usage: unknown }[];
    };
    expect(decisions).toHaveLength(20);
    expect(decisions.filter(({ usage }) => usage === null)).toEqual([]);
  });

  it('no request fails when one is killed, another one takes its place, and gets requests', async () => {
    const before = await pids();
    let going = true;
    const results: (readonly [number, boolean])[] = [];
    const load = Array.from({ length: 4 }, async () => {
      while (going) results.push(await ask());
    });
    process.kill(before[0]!, 'SIGKILL');
    await expect.poll(async () => (await pids()).filter((pid) => !before.includes(pid)).length, { timeout: 60_000 }).toBe(1);
    going = false;
    await Promise.all(load);
    expect(results.length).toBeGreaterThan(0);
    expect(results.filter(([status]) => status !== 200)).toEqual([]);
    const counts = await recorded();
    const again = async (): Promise<boolean> => {
      for (let turn = 0; turn < 20; turn++) expect(await ask()).toEqual([200, true]);
      const now = await recorded();
      return ['0', '1'].every((worker) => (now[worker] ?? 0) > (counts[worker] ?? 0));
    };
    await expect.poll(again, { timeout: 30_000 }).toBe(true);
  });

  it('stop with their parent, and leave no socket', async () => {
    const running = await pids();
    await stack.stopSluice('SIGTERM');
    for (const pid of running) expect(() => process.kill(pid, 0)).toThrow();
    expect(existsSync(join(stack.folder, 'sluice.sock'))).toBe(false);
  });
});
