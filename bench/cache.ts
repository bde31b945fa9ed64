import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { cacheKey } from '../src/cache/key.ts';
import { keyInputOf } from '../src/exchange/testing/cache-harness.ts';
import { canonicalQuestion } from '../src/cache/semantic/canonical.ts';
import { freePorts, Stack } from '../src/demo/stack.ts';
import { requireEnvoy } from '../src/attach/binary.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import { loadCatalog } from '../src/catalog/index.ts';
import { chatBody, type LoadPlan, type LoadResult } from './load.ts';
import { addedRatio, show, spread } from './report.ts';

/**
 * What a hit in memory takes through Envoy, against Envoy's own direct response behind the smallest processor there is, and what the
 * key takes. Usage: `npm run bench -- cache [--rounds 9 --seconds 4 --rate 300]`
 */
const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '4' },
    rate: { type: 'string', default: '300' },
  },
});
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
const rate = Number(flags.rate);

const policy = 'version: 1\ndefaults: { cache: { mode: on, semantic: strict } }\n';
const requestBytes = 1_024;
const answerBytes = 1_024;
const root = fileURLToPath(new URL('..', import.meta.url));

/** Median microseconds of a call, over runs of many calls. */
function microseconds(call: () => unknown, calls: number): number {
  for (let warm = 0; warm < calls; warm++) call();
  return spread(
    Array.from({ length: 9 }, () => {
      const begin = performance.now();
      for (let count = 0; count < calls; count++) call();
      return ((performance.now() - begin) * 1_000) / calls;
    }),
  ).median;
}

async function keys(): Promise<void> {
  const { generation } = compilePolicy([{ name: 'policy.yaml', text: policy }], { catalog: await loadCatalog() });
  if (generation === null) throw new Error('the policy is wrong');
  const long = chatBody(32 * 1_024, false).toString();
  for (const [what, body] of [
    ['32 KB', long],
    ['32 KB with white space between its tokens', JSON.stringify(JSON.parse(long), null, 2)],
    ['1 KB', chatBody(1_024, false).toString()],
  ] as const) {
    const input = keyInputOf(generation, body);
    process.stdout.write(`key of ${what}: ${microseconds(() => cacheKey(input), 2_000).toFixed(1)} µs\n`);
  }
  const question = 'What is the difference between a CDN and a cache, and which one do I want for a site?';
  process.stdout.write(
    `form of a question of ${question.length} characters for the semantic cache: ${microseconds(() => canonicalQuestion(question, 'strict'), 5_000).toFixed(1)} µs\n`,
  );
}

type Config = {
  static_resources: {
    listeners: {
      filter_chains: {
        filters: { typed_config: { http_filters: { name: string; typed_config: Record<string, unknown> }[]; route_config: unknown } }[];
      }[];
    }[];
  };
};

/** Sluice's rendered config with the no-op in its place, and a direct response in place of all routes. */
function directConfig(text: string, sluice: string, noop: string, ports: readonly [string, string][]): string {
  let moved = text.replaceAll(sluice, noop);
  for (const [from, to] of ports) moved = moved.replaceAll(`"port_value":${from}`, `"port_value":${to}`);
  const config = JSON.parse(moved) as Config;
  const manager = config.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config;
  manager.http_filters = manager.http_filters.filter(({ name }) => !name.includes('sluice_response'));
  const filter = manager.http_filters.find(({ name }) => name.includes('sluice_request'))!;
  // The no-op cannot ask for the body, so its filter always sends it: the same phases as Sluice's.
  filter.typed_config['processing_mode'] = { ...(filter.typed_config['processing_mode'] as object), request_body_mode: 'BUFFERED' };
  manager.route_config = {
    name: 'direct',
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'x'.repeat(answerBytes) } } }],
      },
    ],
  };
  return JSON.stringify(config);
}

/** The median latency in ms under an open loop of a fixed rate, from a process of its own. */
async function medianOf(url: string, seconds: number): Promise<number> {
  const plan: LoadPlan = { url, rate, seconds, bodyBytes: requestBytes, sse: false };
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'bench/load.ts'), JSON.stringify(plan)]);
  const result = JSON.parse(stdout) as LoadResult;
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.sent} requests to ${url} failed`);
  return result.p50;
}

/** A chat completion of `answerBytes`. */
function providerAnswer(): string {
  const of = (content: string): string =>
    JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'gpt-5-nano',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 250, completion_tokens: 200, total_tokens: 450 },
    });
  return of('x'.repeat(answerBytes - of('').length));
}

async function hitsCounted(stack: Stack): Promise<number> {
  const text = await fetch(`${stack.adminUrl}/metrics`).then((response) => response.text());
  return Number(/^llm_proxy_cache_total\{result="hit"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function hits(): Promise<void> {
  const provider = createServer((asked, answer) => {
    asked.resume();
    asked.once('end', () => answer.writeHead(200, { 'content-type': 'application/json' }).end(providerAnswer()));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const stack = new Stack({ policy, endpoint: `http://127.0.0.1:${(provider.address() as AddressInfo).port}` });
  const children: ChildProcess[] = [];
  const start = (command: string, args: readonly string[]): void =>
    void children.push(spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], cwd: root }));
  try {
    await stack.start();
    const noopSocket = join(stack.folder, 'noop.sock');
    const goNoop = join(root, '.tools/bench/noop');
    if (existsSync(goNoop)) start(goNoop, [noopSocket]);
    else start(process.execPath, [join(root, 'bench/noop/noop.ts'), noopSocket]);
    const [listen, admin] = await freePorts(2);
    const portOf = (url: string): string => new URL(url).port;
    const text = readFileSync(join(stack.folder, 'envoy.json'), 'utf8');
    const file = join(stack.folder, 'direct.json');
    writeFileSync(
      file,
      directConfig(text, join(stack.folder, 'sluice.sock'), noopSocket, [
        [portOf(stack.url), String(listen)],
        [portOf(stack.envoyAdminUrl), String(admin)],
      ]),
    );
    start(await requireEnvoy(), ['-c', file, '--use-dynamic-base-id', '--concurrency', '2', '--log-level', 'error']);
    for (
      let tries = 0;
      tries < 200 &&
      !(await fetch(`http://127.0.0.1:${admin}/ready`).then(
        (response) => response.ok,
        () => false,
      ));
      tries++
    )
      await new Promise((resolve) => setTimeout(resolve, 50));

    const ours = `${stack.url}/v1/chat/completions`;
    const floor = `http://127.0.0.1:${listen}/v1/chat/completions`;
    const ask = (): Promise<Response> =>
      fetch(ours, { method: 'POST', headers: { 'content-type': 'application/json' }, body: new Uint8Array(chatBody(requestBytes, false)) });
    await ask().then((response) => response.arrayBuffer());
    for (const url of [floor, ours]) await medianOf(url, seconds);
    const answered = await hitsCounted(stack);
    const samples: Record<'floor' | 'ours', number[]> = { floor: [], ours: [] };
    for (let round = 0; round < rounds; round++) {
      const turns = [
        () => medianOf(floor, seconds).then((ms) => samples.floor.push(ms)),
        () => medianOf(ours, seconds).then((ms) => samples.ours.push(ms)),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
    }
    const counted = (await hitsCounted(stack)) - answered;
    const asked = rounds * seconds * rate;
    // On an overloaded machine Envoy lets a request pass undecided; its latency is then the provider's.
    if (counted < asked * 0.98) throw new Error(`only ${counted} of ${asked} requests were hits`);
    const answer = await ask().then((response) => response.text());
    process.stdout.write(
      `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}; no-op in ${existsSync(goNoop) ? 'Go' : 'Node'}; ${rounds} rounds of ${seconds} s at ${rate}/s each, medians (lowest–highest); ${counted} of ${asked} were hits\n`,
    );
    process.stdout.write(`direct response of ${answerBytes} bytes behind the no-op: ${show(spread(samples.floor), 3)} ms\n`);
    process.stdout.write(`hit in memory of ${answer.length} bytes: ${show(spread(samples.ours), 3)} ms\n`);
    process.stdout.write(
      `ratio: ${show(
        addedRatio(
          samples.floor.map(() => 0),
          samples.floor,
          samples.ours,
        ),
      )}\n`,
    );
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await stack.stop();
    provider.close();
  }
}

await keys();
await hits();
