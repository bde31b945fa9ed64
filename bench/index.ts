import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadCatalog } from '../src/catalog/index.ts';
import { nodeFlags } from '../src/cli/node-flags.ts';
import { freePorts } from '../src/demo/stack.ts';
import { requireEnvoy } from '../src/envoy/binary.ts';
import { renderEnvoy } from '../src/envoy/render.ts';
import { compilePolicy } from '../src/policy/compile.ts';
import { defaultPolicyFile } from '../src/policy/source.ts';
import type { LoadPlan, LoadResult } from './load.ts';
import { cpuOf, memoryOf } from './processes.ts';
import { header, row, type Sample } from './report.ts';

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '6' }, quick: { type: 'boolean', default: false }, only: { type: 'string', default: '' }, out: { type: 'string', default: 'bench/results' } },
});
const rounds = flags.quick ? 1 : Number(flags.rounds);
const seconds = flags.quick ? 1 : Number(flags.seconds);

const scenarios = [
  { title: '1 KB, JSON, 500/s', bodyBytes: 1_024, rate: 500, sse: false },
  { title: '32 KB, JSON, 300/s', bodyBytes: 32 * 1_024, rate: 300, sse: false },
  { title: '256 KB, JSON, 60/s', bodyBytes: 256 * 1_024, rate: 60, sse: false },
  { title: '1 MB, JSON, 20/s', bodyBytes: 1_024 * 1_024, rate: 20, sse: false },
  { title: '1 KB, SSE of 50 chunks, 100/s', bodyBytes: 1_024, rate: 100, sse: true },
] as const;

const variants = ['none', 'noop', 'noop+copy', 'sluice'] as const;
type Variant = (typeof variants)[number];

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const children: ChildProcess[] = [];

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: root });
  children.push(child);
  return child;
}

async function untilFile(path: string): Promise<void> {
  for (let tries = 0; tries < 200 && !existsSync(path); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
}

type Config = ReturnType<typeof renderEnvoy>;

/** Sluice's own rendered config, with its filters taken out or turned to the no-op. */
function configFor(variant: Variant, config: Config): Config {
  const text = JSON.stringify(config);
  const copy = JSON.parse(text) as { static_resources: { listeners: { filter_chains: { filters: { typed_config: { http_filters: { name: string; typed_config: Record<string, unknown> }[] } }[] }[] }[] } };
  const manager = copy.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config;
  if (variant === 'none') manager.http_filters = manager.http_filters.filter(({ name }) => !name.includes('ext_proc'));
  if (variant === 'noop') manager.http_filters = manager.http_filters.filter(({ name }) => !name.includes('sluice_response'));
  if (variant === 'noop' || variant === 'noop+copy') {
    const filter = manager.http_filters.find(({ name }) => name.includes('sluice_request'))!;
    // The no-op cannot ask for the body, so its filter always sends it: the same phases as Sluice's.
    filter.typed_config['processing_mode'] = { ...(filter.typed_config['processing_mode'] as object), request_body_mode: 'BUFFERED' };
  }
  if (variant === 'none') stripRoutes(copy);
  return copy;
}

/** Routes name the filters that WebSockets switch off; without the filters Envoy refuses the names. */
function stripRoutes(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  delete (value as Record<string, unknown>)['typed_per_filter_config'];
  for (const part of Object.values(value)) stripRoutes(part);
}

async function main(): Promise<void> {
  const upstream = start(process.execPath, [join(root, 'bench/upstream.ts')]);
  const port = Number(await new Promise<string>((resolve) => upstream.stdout!.once('data', (data: Buffer) => resolve(data.toString().trim()))));
  const noopSocket = join(folder, 'noop.sock');
  const goNoop = join(root, '.tools/bench/noop');
  const noop = existsSync(goNoop) ? start(goNoop, [noopSocket]) : start(process.execPath, [join(root, 'bench/noop/noop.ts'), noopSocket]);
  const policy = join(folder, 'policy');
  mkdirSync(policy);
  const endpoint = `http://127.0.0.1:${port}`;
  const files = [
    { name: 'policy.yaml', text: readFileSync(defaultPolicyFile, 'utf8') },
    { name: 'zz.yaml', text: `version: 1\nproviders: {openai: {endpoint: "${endpoint}"}, anthropic: {endpoint: "${endpoint}"}, google: {endpoint: "${endpoint}"}}\n` },
  ];
  for (const { name, text } of files) writeFileSync(join(policy, name), text);
  const socket = join(folder, 'sluice.sock');
  const ports = await freePorts(variants.length * 2 + 1);
  const sluice = start(process.execPath, [...nodeFlags, join(root, 'src/cli/index.ts'), 'serve', '--policy', policy, '--listen', `unix:${socket}`, '--admin', `127.0.0.1:${ports.at(-1)!}`, '--log', join(folder, 'sluice.log')]);
  await untilFile(noopSocket);
  await untilFile(socket);
  const { generation, problems } = compilePolicy(files, { catalog: await loadCatalog() });
  if (generation === null) throw new Error(JSON.stringify(problems));

  const envoys = new Map<Variant, { readonly url: string; readonly pid: number }>();
  const binary = await requireEnvoy();
  for (const [index, variant] of variants.entries()) {
    const listen = `127.0.0.1:${ports[index * 2]!}`;
    const admin = `127.0.0.1:${ports[index * 2 + 1]!}`;
    const config = renderEnvoy({ providers: [...generation.providers.values()], sluice: `unix:${variant === 'sluice' ? socket : noopSocket}`, listen, admin, failClosed: true, caFile: '/etc/ssl/certs/ca-certificates.crt', otlp: null, chains: 'groups', usage: variant === 'sluice' ? 'collect' : 'observe' });
    const file = join(folder, `${variant}.json`);
    writeFileSync(file, JSON.stringify(configFor(variant, config)));
    const envoy = start(binary, ['-c', file, '--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'error']);
    for (let tries = 0; tries < 200; tries++) {
      if (await fetch(`http://${admin}/ready`).then((response) => response.ok, () => false)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    envoys.set(variant, { url: `http://${listen}/v1/chat/completions`, pid: envoy.pid! });
  }

  const processorOf: Record<Variant, number | null> = { none: null, noop: noop.pid!, 'noop+copy': noop.pid!, sluice: sluice.pid! };
  const lines: string[] = [];
  const json: Record<string, Record<string, Sample[]>> = {};
  for (const scenario of scenarios.filter(({ title }) => title.includes(flags.only))) {
    const samples: Record<string, Sample[]> = Object.fromEntries(variants.map((variant) => [variant, []]));
    for (let round = -1; round < rounds; round++) {
      // Turns are taken in another order each round, so that nobody always follows the same neighbour.
      const order = variants.map((_, index) => variants[(index + Math.max(0, round)) % variants.length]!);
      for (const variant of order) {
        const { url, pid } = envoys.get(variant)!;
        const processor = processorOf[variant];
        const before = { envoy: cpuOf(pid), processor: processor === null ? 0 : cpuOf(processor) };
        const plan: LoadPlan = { url, rate: scenario.rate, seconds: round === -1 ? Math.min(2, seconds) : seconds, bodyBytes: scenario.bodyBytes, sse: scenario.sse };
        const result = await load(plan);
        if (round === -1) continue;
        samples[variant]!.push({
          p50: result.p50,
          p99: result.p99,
          failed: result.failed,
          envoyCpu: (cpuOf(pid) - before.envoy) / result.sent,
          processorCpu: processor === null ? 0 : (cpuOf(processor) - before.processor) / result.sent,
          memory: processor === null ? 0 : memoryOf(processor) / 1024,
        });
      }
    }
    json[scenario.title] = samples;
    lines.push(`| ${row(scenario.title, samples)} |`);
    process.stderr.write(`· ${scenario.title} done\n`);
  }
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Linux ${release()}, Node ${process.version}; no-op in ${existsSync(goNoop) ? 'Go' : 'Node'}; ${rounds} rounds of ${seconds} s, median (lowest–highest)`;
  const markdown = `${machine}\n\n${header}\n${lines.join('\n')}\n`;
  mkdirSync(flags.out, { recursive: true });
  writeFileSync(join(flags.out, 'latest.md'), markdown);
  writeFileSync(join(flags.out, 'latest.json'), JSON.stringify({ machine, rounds, seconds, samples: json }, null, 1));
  process.stdout.write(markdown);
}

function load(plan: LoadPlan): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const child = start(process.execPath, [join(root, 'bench/load.ts'), JSON.stringify(plan)]);
    let text = '';
    child.stdout!.on('data', (data: Buffer) => (text += data.toString()));
    child.once('exit', (code) => {
      if (code === 0) resolve(JSON.parse(text) as LoadResult);
      else reject(new Error(`the load generator ended with ${code}`));
    });
  });
}

try {
  if (!existsSync('/proc/self/stat')) throw new Error('the bench reads /proc and runs on Linux only');
  await main();
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
