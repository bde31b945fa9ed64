import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';

const policy = `
version: 1
defaults:
  tiers: []
  cache: { mode: on, ttl: 600, coalesce: 30 }
`;

const simulator = new ProviderSimulator();
const agent = new Agent({ keepAlive: true });
let stack: Stack;

beforeAll(async () => {
  // Envoy's own patience, not the longer one of other tests: it must end.
  stack = new Stack({ policy, endpoint: await simulator.listen(), messageTimeout: '0.5s', env: { SLUICE_MAX_DELAY: '0' } });
  await stack.start();
});

afterAll(async () => {
  agent.destroy();
  await stack.stop();
  await simulator.close();
});

/** Asks, with the body some time after the headers. Resolves with the decision's id; null if the request went on undecided. */
function ask(content: string, beforeBody: (() => void) | null = null): Promise<string | null> {
  const body = JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content }] });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), authorization: 'Bearer sk-app' };
  return new Promise((resolve, reject) => {
    const call = request(`${stack.url}/v1/chat/completions`, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve((response.headers['x-sluice-decision'] as string | undefined) ?? null));
    });
    call.once('error', reject);
    call.flushHeaders();
    setTimeout(
      () => {
        beforeBody?.();
        call.end(body);
      },
      beforeBody === null ? 0 : 500,
    );
  });
}

describe('requests like one that Envoy did not wait for', () => {
  it('do not wait for its answer, which will not be told', async () => {
    for (let round = 0; round < 3; round++) {
      const content = `What is a CDN? (${round})`;
      // Its body comes while Sluice is stopped, as on a machine that swaps; Envoy sends it on without Sluice.
      const pid = stack.sluicePid;
      const leader = ask(content, () => process.kill(pid, 'SIGSTOP'));
      try {
        expect(await leader).toBeNull();
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      const begun = performance.now();
      await Promise.all([ask(content), ask(content)]);
      expect(performance.now() - begun).toBeLessThan(9_000);
    }
  });
});
