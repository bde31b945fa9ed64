import type { NodeCluster } from '../../test/kubernetes/support/node-cluster.ts';
import { until } from '../../test/kubernetes/support/cluster.ts';

/** What a pod's clients saw. */
export interface Counts {
  readonly requests: number;
  /** Connections that were not made. */
  readonly refused: number;
  /** Requests over kept connections that were refused or failed; they are among the others too. */
  readonly kept: number;
  /** Requests that failed in another way, with the first reasons. */
  readonly failed: number;
  readonly errors: readonly string[];
  /** Answers with a decision, by model; answers without one. */
  readonly models: Readonly<Record<string, number>>;
  readonly undecided: number;
  /** Answers to prompts that the policy blocks, by when they were asked and answered (ms since 1970): status 403 if they were blocked. */
  readonly blocked: readonly { readonly asked: number; readonly answered: number; readonly status: number }[];
  readonly slowest: number;
}

/** Ten clients: half keep their connection, half make a new one for each request. Every fifth prompt holds what the policy blocks. */
const script = (url: string): string => `
import { Agent, request } from 'node:http';
const count = { requests: 0, refused: 0, failed: 0, errors: [], kept: 0, models: {}, undecided: 0, blocked: [], slowest: 0 };
let running = true;
const kept = new Agent({ keepAlive: true });
process.on('SIGUSR2', () => { running = false; });
const ask = (agent, secret) => new Promise((resolve) => {
  const body = JSON.stringify({ model: 'gpt-5.1', messages: [{ role: 'user', content: secret ? 'What is project zeus?' : 'What is DNS?' }] });
  const begun = performance.now();
  const asked = Date.now();
  const fail = (error) => { if (agent === kept) count.kept++; if (error.code === 'ECONNREFUSED') count.refused++; else count.failed++; if (count.errors.length < 5) count.errors.push(String(error.code ?? error.message)); resolve(); };
  const call = request('${url}/v1/chat/completions', { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
    response.on('error', fail);
    response.on('data', () => undefined);
    response.on('end', () => {
      count.requests++;
      count.slowest = Math.max(count.slowest, Math.round(performance.now() - begun));
      const model = response.headers['x-sluice-model'];
      if (secret) count.blocked.push({ asked, answered: Date.now(), status: response.statusCode });
      else if (response.statusCode !== 200) { if (agent === kept) count.kept++; count.failed++; if (count.errors.length < 5) count.errors.push('status ' + response.statusCode); }
      else if (model === undefined) count.undecided++;
      else count.models[model] = (count.models[model] ?? 0) + 1;
      if (count.requests === 30) console.log('all are calling');
      resolve();
    });
  });
  call.on('error', fail);
  call.end(body);
});
await Promise.all(Array.from({ length: 10 }, async (_, index) => {
  for (let turn = 0; running; turn++) {
    await ask(index % 2 === 0 ? kept : new Agent({ keepAlive: false }), turn % 5 === 4);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}));
console.log(JSON.stringify(count));
process.exit(0);
`;

/** Runs clients in a pod of the namespace `apps` while `what` happens. */
export async function underLoad(node: NodeCluster, url: string, what: () => Promise<void>): Promise<Counts> {
  const pod = await node.startPod('apps', { drill: String(Date.now()) }, script(url));
  await until(async () => (await node.logs('apps', pod)).includes('all are calling'), 'the clients');
  await what();
  await node.cluster.kubectl('exec', pod, '--namespace', 'apps', '--', '/usr/local/bin/node', '--eval', "process.kill(1, 'SIGUSR2')");
  return (await node.finishPod('apps', pod)) as unknown as Counts;
}
