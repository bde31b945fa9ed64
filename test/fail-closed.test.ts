import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';

const simulator = new ProviderSimulator();
let stack: Stack;

beforeAll(async () => {
  stack = new Stack({ policy: 'version: 1\ndefaults: {failClosed: true}\n', endpoint: await simulator.listen(), failClosed: true });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await simulator.close();
});

describe('a fail-closed gateway', () => {
  it('answers 503 while Sluice is gone, sends nothing on, and serves again when it is back', async () => {
    const ask = async (): Promise<number> => {
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
      });
      await response.arrayBuffer();
      return response.status;
    };
    expect(await ask()).toBe(200);
    await stack.stopSluice('SIGKILL');
    const before = simulator.received.length;
    expect(await ask()).toBe(503);
    expect(simulator.received.length).toBe(before);
    await stack.startSluice();
    await expect.poll(ask).toBe(200);
  });
});

describe('a gateway that is fail-closed for one provider', () => {
  const other = new ProviderSimulator();
  let part: Stack;

  beforeAll(async () => {
    const policy = 'version: 1\nsections: [{name: closed, match: {provider: [anthropic]}, failClosed: true}]\n';
    part = new Stack({ policy, endpoint: await other.listen() });
    await part.start();
  });

  afterAll(async () => {
    await part.stop();
    await other.close();
  });

  it('answers 503 to its requests alone while Sluice is gone', async () => {
    const ask = async (path: string): Promise<number> => {
      const response = await fetch(`${part.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(path.endsWith('/messages') ? { 'anthropic-version': '2023-06-01' } : {}) },
        body: '{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"What is DNS?"}]}',
      });
      await response.arrayBuffer();
      return response.status;
    };
    const both = (): Promise<number[]> => Promise.all(['/v1/messages', '/v1/chat/completions'].map(ask));
    expect(await both()).toEqual([200, 200]);
    await part.stopSluice('SIGKILL');
    expect(await both()).toEqual([503, 200]);
  });
});
