import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { roomSocket } from '../src/lib/room-socket.ts';

const policy = `version: 1
defaults:
  tiers: [simple]
  candidates: { simple: [openai/gpt-5-nano] }
  rules: [{ name: zeus, when: "request.lastUser.contains('zeus')", then: { block: 'Not about zeus.' } }]
`;

/** Longer than Envoy waits for a decision where nothing is blocked, ms. */
const stoppedMs = 4_000;

const childOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0] ?? 0);

describe.each([1, 2])('a policy that blocks, and is not failClosed, with %s processes', (workers) => {
  const simulator = new ProviderSimulator();
  let stack: Stack;

  beforeAll(async () => {
    stack = new Stack({ policy, endpoint: await simulator.listen(), supervised: true, serve: ['--workers', String(workers)] });
    await stack.start();
  });

  afterAll(async () => {
    await stack.stop();
    await simulator.close();
  });

  const ask = async (prompt: string): Promise<{ readonly status: number; readonly model: string | null }> => {
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: prompt }] }),
    });
    await response.arrayBuffer();
    return { status: response.status, model: response.headers.get('x-sluice-model') };
  };
  const decided = { status: 200, model: 'gpt-5-nano' };
  const both = async (): Promise<unknown> => Promise.all([ask('What is project zeus?'), ask('What is DNS?')]);

  /** The supervisor knows that Sluice is ready, and has a place for connections that wait for the next one. */
  const prepared = async (): Promise<void> => {
    await expect.poll(both, { timeout: 30_000 }).toMatchObject([{ status: 403 }, decided]);
    await expect.poll(() => existsSync(roomSocket(join(stack.folder, 'sluice.sock'))), { timeout: 30_000 }).toBe(true);
  };

  it('holds while a start takes long: nothing passes undecided, and nothing fails', async () => {
    await prepared();
    const before = childOf(stack.sluicePid);
    process.kill(before, 'SIGKILL');
    await expect.poll(() => ![0, before].includes(childOf(stack.sluicePid)), { timeout: 10_000, interval: 5 }).toBe(true);
    // A machine with too much to do: the next one has begun, and does not come to run.
    const next = childOf(stack.sluicePid);
    process.kill(next, 'SIGSTOP');
    const answers = Promise.all(Array.from({ length: 10 }, both));
    await new Promise((resolve) => setTimeout(resolve, stoppedMs));
    process.kill(next, 'SIGCONT');
    expect(await answers).toEqual(Array.from({ length: 10 }, () => [expect.objectContaining({ status: 403 }) as object, decided]));
  });

  it('holds for what a Sluice that hangs has not answered when it is killed', async () => {
    await prepared();
    const hanging = childOf(stack.sluicePid);
    process.kill(hanging, 'SIGSTOP');
    const answers = Promise.all(Array.from({ length: 10 }, both));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    process.kill(hanging, 'SIGKILL');
    expect(await answers).toEqual(Array.from({ length: 10 }, () => [expect.objectContaining({ status: 403 }) as object, decided]));
  });

  it('lets requests pass when Sluice is gone for good, soon', async () => {
    await stack.stopSluice('SIGTERM');
    expect(await ask('What is DNS?')).toEqual({ status: 200, model: null });
    await stack.startSluice();
    await expect.poll(both, { timeout: 30_000 }).toMatchObject([{ status: 403 }, decided]);
  });
});
