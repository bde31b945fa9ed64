import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Stack } from '../src/demo/stack.ts';
import { status, ScriptedProvider, type Behaviour } from './support/scripted-provider.ts';

/** More than Envoy's own breakers let through. */
const crowd = 1_200;

const folder = mkdtempSync(join(tmpdir(), 'sluice-breakers-'));
const first = new ScriptedProvider();
const second = new ScriptedProvider();
let stack: Stack;

beforeAll(async () => {
  writeFileSync(join(folder, 'key'), 'key-of-mistral');
  const policy = `
version: 1
providers:
  openai: { endpoint: "${await first.listen()}" }
  mistral: { endpoint: "${await second.listen()}", credentialFile: "${join(folder, 'key')}" }
defaults:
  allowProviders: [mistral]
  candidates: { simple: [openai/gpt-4.1-nano], standard: [openai/gpt-4.1-nano], complex: [openai/gpt-4.1-nano] }
sections:
  - { name: chained, match: { workspace: [chained] }, fallback: { tiers: { simple: [mistral/mistral-large-latest] }, attempts: 2, attemptSeconds: 50 } }
`;
  stack = new Stack({ policy, endpoint: null });
  await stack.start();
});

afterAll(async () => {
  await stack.stop();
  await Promise.all([first.close(), second.close()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Holds every request until all have arrived, so that all are in flight at once. */
function together(then: Behaviour): Behaviour {
  const waiting: (() => void)[] = [];
  return async (got, response, answer) => {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === crowd) for (const go of waiting) go();
    });
    return then(got, response, answer);
  };
}

/** How often each status and number of attempts came. */
async function ask(workspace: string): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true });
  const seen: Record<string, number> = {};
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const done = (what: string): void => {
        seen[what] = (seen[what] ?? 0) + 1;
        resolve();
      };
      const call = request(
        `${stack.url}/v1/chat/completions`,
        {
          method: 'POST',
          agent,
          headers: { 'content-type': 'application/json', authorization: 'Bearer sk-app', 'x-sluice-workspace': workspace },
        },
        (response) => {
          response.resume();
          response.once('end', () => done(`${response.statusCode} at attempt ${String(response.headers['x-sluice-attempts'])}`));
        },
      );
      call.once('error', (error) => done(error.message));
      call.end('{"model":"gpt-4.1","messages":[{"role":"user","content":"What is a CDN?"}]}');
    });
  await Promise.all(Array.from({ length: crowd }, one));
  agent.destroy();
  return seen;
}

it('lets more requests be under way at once than Envoy’s own breakers would', async () => {
  first.behaviour = together((_got, _response, answer) => answer());
  expect(await ask('plain')).toEqual({ '200 at attempt 1': crowd });
});

it('lets all of them fall back at once', async () => {
  first.behaviour = together(status(503));
  second.behaviour = together((_got, _response, answer) => answer());
  expect(await ask('chained')).toEqual({ '200 at attempt 2': crowd });
});
