import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { defaultPolicyFile } from '../src/policy/source.ts';
import { memoryOf } from './processes.ts';

/** What a slow stream costs Sluice in memory: 1,000 at once, half-way through. Usage: npm run bench:streams */
const streams = 1_000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const simulator = new ProviderSimulator({ eventMs: 400, keep: 1 });
const stack = new Stack({ policy: readFileSync(defaultPolicyFile, 'utf8'), endpoint: await simulator.listen() });
try {
  await stack.start();
  const agent = new Agent({ keepAlive: true, maxSockets: streams });
  const open = (): Promise<number> =>
    new Promise((resolve) => {
      const body = '{"model":"gpt-5.1","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"What is a CDN?"}]}';
      const call = request(`${stack.url}/v1/chat/completions`, { method: 'POST', agent, headers: { 'content-type': 'application/json' } }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      });
      call.once('error', () => resolve(0));
      call.end(body);
    });
  // A first wave warms the code up, so that it is not counted as the streams' memory.
  await Promise.all(Array.from({ length: 100 }, open));
  await wait(1_000);
  const before = memoryOf(stack.sluicePid);
  const answers = Promise.all(Array.from({ length: streams }, open));
  await wait(4_000);
  const during = memoryOf(stack.sluicePid);
  const ok = (await answers).filter((status) => status === 200).length;
  process.stdout.write(`${streams} concurrent streams, ${ok} whole; Sluice ${Math.round(before / 1024)} MB before, ${Math.round(during / 1024)} MB during: ${((during - before) / streams).toFixed(1)} KiB a stream\n`);
  agent.destroy();
} finally {
  await stack.stop();
  await simulator.close();
}
