import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { PolicyBackend } from './support/policy-backend.ts';

const routed = (model: string): string => `version: 1\ndefaults:\n  tiers: [simple]\n  candidates: { simple: [openai/${model}] }\n`;

describe('a policy backend, through a real Envoy', () => {
  const simulator = new ProviderSimulator();
  const backend = new PolicyBackend();
  let stack: Stack;

  beforeAll(async () => {
    const endpoint = await simulator.listen();
    const url = await backend.listen();
    backend.documents.set('/team-a/openai', routed('gpt-5-nano'));
    stack = new Stack({
      policy: routed('gpt-5-mini'),
      endpoint,
      serve: ['--policy-url', `${url}/{workspace}/{provider}`, '--policy-ttl', '1'],
    });
    await stack.start();
  });

  afterAll(async () => {
    await stack.stop();
    await Promise.all([simulator.close(), backend.close()]);
  });

  const ask = async (workspace: string): Promise<string | null> => {
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sluice-workspace': workspace },
      body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
    });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    return response.headers.get('x-sluice-model');
  };
  const metric = async (name: string): Promise<string | undefined> =>
    new RegExp(`^${name} (\\S+)$`, 'm').exec(await (await fetch(`${stack.adminUrl}/metrics`)).text())?.[1];

  it('is asked at the first request of a workspace, decides the next ones, and its edits follow', async () => {
    // A cold start on a busy machine can be too slow for Envoy's patience.
    await expect.poll(() => ask('team-c'), { timeout: 20_000 }).toBe('gpt-5-mini');
    expect(await ask('team-a')).toBe('gpt-5-mini');
    await expect.poll(() => ask('team-a'), { timeout: 10_000 }).toBe('gpt-5-nano');
    expect(await ask('team-b')).toBe('gpt-5-mini');
    backend.documents.set('/team-a/openai', routed('gpt-4.1-nano'));
    await expect.poll(() => ask('team-a'), { timeout: 10_000 }).toBe('gpt-4.1-nano');
  });

  it('is shown as refused and as gone while what was good holds', async () => {
    backend.documents.set('/team-a/openai', `${routed('gpt-5-nano')}  mode: enabeld\n`);
    await expect
      .poll(async () => [await ask('team-a'), await metric('llm_proxy_policy_refused')], { timeout: 10_000 })
      .toEqual(['gpt-4.1-nano', '1']);
    await backend.close();
    await expect
      .poll(async () => [await ask('team-a'), await metric('llm_proxy_policy_source_connected')], { timeout: 10_000 })
      .toEqual(['gpt-4.1-nano', '0']);
  });
});
