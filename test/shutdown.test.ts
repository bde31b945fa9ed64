import { afterAll, expect, it } from 'vitest';
import { findEnvoy } from '../src/attach/binary.ts';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { openDatabase } from '../src/ledger/sqlite/database.ts';

const simulator = new ProviderSimulator();
const stacks: Stack[] = [];

afterAll(async () => {
  await Promise.all(stacks.map((stack) => stack.stop()));
  await simulator.close();
});

it.skipIf((await findEnvoy()) === null)(
  'a stop waits for the ends of requests that Envoy has not told yet, and loses no record',
  async () => {
    const stack = new Stack({
      policy:
        'version: 1\ndefaults: { candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] } }\n',
      endpoint: await simulator.listen(),
      messageTimeout: '10s',
    });
    stacks.push(stack);
    await stack.start();
    const ask = async (delayMs: number): Promise<string | null> => {
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-sim-delay': String(delayMs) },
        body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
      });
      await response.arrayBuffer();
      return response.headers.get('x-sluice-decision');
    };
    // The first one alone: only one of Envoy's threads has opened its log then.
    await ask(0);
    const asked = Array.from({ length: 20 }, () => ask(1_500));
    const pending = async (): Promise<string | undefined> =>
      /^llm_proxy_pending_exchanges (\d+)$/m.exec(await (await fetch(`${stack.adminUrl}/metrics`)).text())?.[1];
    await expect.poll(pending, { timeout: 10_000 }).toBe('20');
    const stopped = stack.stopSluice('SIGTERM');
    const ids = await Promise.all(asked);
    await stopped;
    const db = openDatabase(stack.ledgerFile, 'readonly');
    const outcomes = db.prepare<[string], string>(`SELECT outcome FROM entries WHERE kind = 'exchange' AND id = ?`).pluck();
    expect(ids.map((id) => (id === null ? 'undecided' : outcomes.get(id)))).toEqual(Array.from({ length: 20 }, () => 'complete'));
    db.close();
  },
);
